/**
 * A random program of one group whose members the broker assigns to: they come, heartbeat at any time, follow what they are told sooner
 * or later, lose answers, die, leave, come back as static members, change what they read, while topics grow; and what must hold:
 *
 * - no partition is read by two members of the group at one time;
 * - when everybody behaves, every partition is read, and the group is stable.
 *
 * What a member says that it reads is true until it hears the answer.
 */
import { ConsumerClient, flat } from './consumer-client.ts'
import { TestBroker } from './harness.ts'

const TOPICS = ['t', 'u', 'v']

interface Actor {
  client: ConsumerClient
  /** An answer on its way. */
  answer: ReturnType<ConsumerClient['send']> | undefined
  hasLostAnswer: boolean
}

export class ConsumerModel {
  readonly counts = { moves: 0, deaths: 0, fenced: 0, lostAnswers: 0, waits: 0 }
  readonly #test: TestBroker
  readonly #actors: Actor[] = []
  readonly #log: string[] = []
  #names = 0

  private constructor(test: TestBroker) {
    this.#test = test
  }

  static async open(seed: number, members: number): Promise<ConsumerModel> {
    const test = await TestBroker.open({ groups: { consumerSessionTimeoutMs: 6000 } }, seed)
    for (const name of TOPICS) test.broker.createTopic({ name, partitions: 1 + test.platform.below(8) })
    await test.settle()
    const model = new ConsumerModel(test)
    for (let n = 0; n < members; n++) model.#actors.push(model.#newActor(n % 4 === 0 ? `i${n}` : undefined))
    return model
  }

  async run(steps: number): Promise<void> {
    for (let n = 0; n < steps; n++) {
      await this.#step()
      this.#check()
    }
    await this.#comeToRest()
  }

  async #step(): Promise<void> {
    const { platform, broker } = this.#test
    const dice = platform.below(1000)
    const n = platform.below(this.#actors.length)
    const actor = this.#actors[n]!
    if (dice < 400) this.#send(actor)
    else if (dice < 650) this.#receive(actor)
    else if (dice < 850) this.#follow(actor)
    else if (dice < 880) this.#loseAnswer(actor)
    else if (dice < 895) this.#die(n)
    else if (dice < 905) this.#leave(n)
    else if (dice < 910) this.#subscribe(actor)
    else if (dice < 913) {
      const topic = broker.topic(TOPICS[platform.below(TOPICS.length)]!)
      if (topic.partitions < 12) broker.updateTopic(topic.name, { partitions: topic.partitions + 1 })
    } else if (dice < 990) await this.#test.advance(platform.below(300))
    else await this.#test.advance(platform.below(7000))
  }

  #send(actor: Actor): void {
    if (actor.answer !== undefined) return
    if (actor.hasLostAnswer) this.#follow(actor)
    const { client } = actor
    actor.answer = actor.hasLostAnswer && client.epoch > 0 ? client.sendAll() : client.send()
    actor.hasLostAnswer = false
    this.#note(`${client.memberId} at ${client.epoch} reads ${client.reads}: ${JSON.stringify(actor.answer)}`)
  }

  #receive(actor: Actor): void {
    if (actor.answer === undefined) return
    const before = actor.client.owned.size
    actor.client.receive(actor.answer)
    if (actor.answer.problem !== undefined && before > 0) this.counts.fenced++
    if (actor.answer.problem === 'unreleased-instance') this.counts.waits++
    actor.answer = undefined
  }

  #follow({ client, answer }: Actor): void {
    if (answer !== undefined || client.epoch === 0) return
    const before = client.reads
    if (client.follow().reads !== before) {
      this.counts.moves++
      this.#note(`${client.memberId} reads ${client.reads}`)
    }
  }

  #loseAnswer(actor: Actor): void {
    if (actor.answer === undefined) return
    actor.answer = undefined
    actor.hasLostAnswer = true
    this.counts.lostAnswers++
  }

  #die(n: number): void {
    const { client } = this.#actors[n]!
    this.counts.deaths++
    this.#note(`${client.memberId} dies`)
    this.#actors[n] = this.#newActor(client.instanceId)
  }

  #leave(n: number): void {
    const { client } = this.#actors[n]!
    if (client.epoch === 0) return
    client.send({ epoch: client.instanceId === undefined ? -1 : -2 })
    this.#note(`${client.memberId} leaves`)
    this.#actors[n] = this.#newActor(client.instanceId)
  }

  #subscribe(actor: Actor): void {
    const { client } = actor
    if (client.epoch === 0 || actor.answer !== undefined) return
    client.topics = this.#someTopics()
    actor.answer = client.send({ topics: client.topics })
  }

  #check(): void {
    const members = new Map(this.#test.broker.groups.describe('g')?.members.map((member) => [member.memberId, member]))
    const readers = new Map<string, string>()
    for (const { client } of this.#actors) {
      // Who was removed and has not heard of it reads on, and can commit nothing.
      if (!members.has(client.memberId)) continue
      for (const place of client.owned) {
        const other = readers.get(place)
        this.#assert(other === undefined, `${place} is read by ${other} and ${client.memberId}`)
        readers.set(place, client.memberId)
      }
    }
  }

  async #comeToRest(): Promise<void> {
    const { broker } = this.#test
    for (let round = 0; round < 60; round++) {
      for (const actor of this.#actors) {
        this.#receive(actor)
        this.#follow(actor)
        this.#send(actor)
      }
      this.#check()
      await this.#test.advance(1000)
    }
    const described = broker.groups.describe('g')!
    this.#assert(described.state === 'stable', `the group is ${described.state}`)
    const read = new Set(this.#actors.flatMap(({ client }) => [...client.owned]))
    const named = new Set(this.#actors.flatMap(({ client }) => client.topics))
    const all = [...named].map((topic) => ({ topic, partitions: [...Array(broker.topic(topic).partitions).keys()] }))
    this.#assert([...read].toSorted().join(' ') === flat(all).toSorted().join(' '), `read are ${[...read].toSorted().join(' ')}`)
    this.#assert(described.members.length === this.#actors.length, 'those who live are in the group')
  }

  #newActor(instanceId: string | undefined): Actor {
    const client = new ConsumerClient(this.#test, `m${this.#names++}`, this.#someTopics(), instanceId)
    client.rebalanceTimeoutMs = 2500 + this.#test.platform.below(5000)
    if (this.#test.platform.below(2) === 0) client.assignor = 'range'
    return { client, answer: undefined, hasLostAnswer: false }
  }

  #someTopics(): string[] {
    const some = TOPICS.filter(() => this.#test.platform.below(4) > 0)
    return some.length === 0 ? ['t'] : some
  }

  #note(text: string): void {
    this.#log.push(text)
  }

  #assert(condition: boolean, what: string): asserts condition {
    if (!condition) throw new Error(`${what}\n${this.#log.slice(-40).join('\n')}`)
  }
}
