import { MillraceError } from '@millrace/client'
import type { FromOptions, SourceTopic, Target } from '../api.ts'
import type { LaneContext, Operator } from '../operators/operator.ts'
import { SourceOperator } from '../operators/stateless.ts'

/** An edge: from an output of one operator to an input of another. */
export interface Edge {
  readonly from: OperatorNode
  readonly output: number
  readonly input: number
}

/** One operator of the application, of which each lane makes its own. */
export interface OperatorNode {
  readonly name: string
  readonly kind: string
  readonly inputs: readonly Edge[]
  /** Topics from which its records come. Where there is state, they must have equally many partitions. */
  readonly topics: ReadonlySet<string>
  /** Whether what it does depends on equal keys being in one lane. */
  readonly isKeyed: boolean
  /** Whether it has state, in a topic of its name. */
  readonly hasState: boolean
  /** Of what depends on event time: how late a record may come. */
  readonly graceMs: number | undefined
  readonly create: (node: OperatorNode, lane: LaneContext) => Operator
}

export type NodeDefinition = Pick<OperatorNode, 'kind' | 'inputs' | 'create'> & {
  /** Given where something durable has its name. */
  readonly name?: string
  readonly isKeyed?: boolean
  readonly hasState?: boolean
  readonly graceMs?: number
}

/** A topic that is read. */
export interface SourceNode {
  readonly topic: string
  readonly node: OperatorNode
  /** Undefined: a topic of the application, in which values are as its serializer makes them. */
  readonly declaration: SourceTopic<unknown> | undefined
  readonly options: FromOptions<unknown>
}

const NAME = /^[A-Za-z0-9._-]+$/

/** The operators of an application, in the order in which they were defined: each comes after those that it listens to. */
export class Topology {
  readonly application: string
  readonly nodes: OperatorNode[] = []
  readonly sources: Map<string, SourceNode> = new Map()
  readonly targets: Map<string, Target<never>> = new Map()
  readonly #names = new Set<string>()
  #isFinished = false

  constructor(application: string) {
    this.application = application
  }

  /** Nothing can be added any more. */
  finish(): void {
    this.#isFinished = true
  }

  add(definition: NodeDefinition): OperatorNode {
    const { kind, inputs, create, isKeyed = false, hasState = false, graceMs } = definition
    this.#checkOpen()
    if (inputs.some(({ from }) => !this.nodes.includes(from))) {
      throw new MillraceError('bad_request', 'Streams and tables of another application cannot be used.')
    }
    const topics = new Set(inputs.flatMap(({ from }) => [...from.topics]))
    const name = definition.name === undefined ? `${kind}-${this.nodes.length}` : this.#claim(definition.name)
    const node: OperatorNode = { name, kind, inputs, topics, create, isKeyed, hasState, graceMs }
    this.nodes.push(node)
    return node
  }

  /** The operator from which the records of a topic come: one for each topic. @throws MillraceError `bad_request` */
  source(topic: string, declaration: SourceTopic<unknown> | undefined, options: FromOptions<unknown>): OperatorNode {
    const there = this.sources.get(topic)
    if (there === undefined) {
      this.#checkOpen()
      const node: OperatorNode = {
        name: topic,
        kind: 'source',
        inputs: [],
        topics: new Set([topic]),
        isKeyed: false,
        hasState: false,
        graceMs: undefined,
        create: (self, lane) => new SourceOperator(self, lane),
      }
      this.nodes.push(node)
      this.sources.set(topic, { topic, node, declaration, options })
      return node
    }
    const isSame =
      there.declaration === declaration && there.options.start === options.start && there.options.timestamp === options.timestamp
    if (isSame) return there.node
    throw new MillraceError('bad_request', `Topic ${topic} is read twice in different ways: use one stream of it for both.`)
  }

  /** The least grace of what depends on event time behind a topic of the application's own; undefined where there is none. */
  get graceBehindKey(): number | undefined {
    const isOwn = (topic: string): boolean => this.sources.get(topic)!.declaration === undefined
    const graces = this.nodes.flatMap(({ graceMs, topics }) =>
      graceMs !== undefined && [...topics].some(isOwn) ? [graceMs] : [],
    )
    return graces.length === 0 ? undefined : Math.min(...graces)
  }

  /** A topic of the application's own. */
  keyTopic(name: string): string {
    return `${this.application}.key.${this.#claim(name)}`
  }

  stateTopic(store: string): string {
    return `${this.application}.state.${store}`
  }

  /** Which lanes have begun. */
  get lanesTopic(): string {
    return `${this.application}.lanes`
  }

  laneQueue(lane: number): string {
    return `${this.application}.lane.${lane}`
  }

  #claim(name: string): string {
    this.#checkOpen()
    if (!NAME.test(name))
      throw new MillraceError('illegal_name', `${JSON.stringify(name)} is no name: use the characters A-Z a-z 0-9 . _ -`)
    if (this.#names.has(name))
      throw new MillraceError('bad_request', `The name ${name} is taken: each state and each \`key\` has its own.`)
    this.#names.add(name)
    return name
  }

  #checkOpen(): void {
    if (this.#isFinished)
      throw new MillraceError('bad_request', `${this.application} was started: define all its streams before that.`)
  }
}
