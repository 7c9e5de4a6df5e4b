import type { TopicInfo } from '@millrace/client'
import { StreamError, textOf } from '../stream-error.ts'
import type { Application } from './application.ts'
import { LaneTask } from './lane-task.ts'
import { READ_AHEAD_BATCHES } from './limits.ts'
import type { Progress } from './progress.ts'
import { lossOf, SourceReader } from './source-reader.ts'

const decoder = new TextDecoder()

/**
 * Puts a lane together as it was at that progress: state from the changelogs, then readers from the positions. Whoever calls it holds the
 * progress: nobody else can commit for this lane, and what was committed before is there to be read.
 * @param wake called when there is something to do
 */
export async function restoreLane(
  application: Application,
  lane: number,
  progress: Progress,
  wake: () => void,
): Promise<LaneTask> {
  const { topology, settings } = application
  const sources = [...topology.sources.values()].filter(({ topic }) => lane < application.partitionsOf(topic))
  const isUnsaved = sources.some(({ topic, options }) => options.start === 'latest' && progress.positions[topic] === undefined)
  const task = new LaneTask(application, lane, progress, isUnsaved)
  try {
    connect(application, task, lane)
    for (const store of task.stores) await restore(application, lane, store)
    for (const operator of task.operators.values()) operator.restored()
    for (const source of sources) {
      const info = await settings.client.admin.topic(source.topic)
      const { start, end } = info.partitionInfo[lane]!
      const first = source.options.start === 'latest' ? end : start
      const position = remaining(application, info, lane, progress.positions[source.topic] ?? first)
      const itemsMax = settings.batchRecords * READ_AHEAD_BATCHES
      task.readers.push(new SourceReader(settings, source, { partition: lane, position, endOffset: end, itemsMax }, wake))
    }
    return task
  } catch (error) {
    task.close()
    throw error
  }
}

/** Makes the operators that have something to do in this lane. */
function connect({ topology, partitionsOf }: Application, task: LaneTask, lane: number): void {
  for (const node of topology.nodes) {
    if (![...node.topics].some((topic) => lane < partitionsOf(topic))) continue
    const operator = node.create(node, task)
    task.operators.set(node, operator)
    for (const { from, output, input } of node.inputs) {
      if (output >= 0) task.operators.get(from)?.connect(output, operator, input)
    }
  }
}

async function restore(
  { settings, topology }: Application,
  partition: number,
  store: { readonly name: string; restore(key: string, value: unknown): void },
): Promise<void> {
  const topic = topology.stateTopic(store.name)
  const messages = settings.client.topic(topic).read({ partition, from: 'earliest', untilEnd: true })
  for await (const { key, value, offset } of messages) {
    try {
      store.restore(decoder.decode(key), value === null ? undefined : settings.serializer.deserialize(value))
    } catch (error) {
      const what = `the state of ${store.name} cannot be read: ${textOf(error)}`
      throw new StreamError(settings.name, what, { operator: store.name, place: { topic, partition, offset }, cause: error })
    }
  }
}

/** Where to go on. @throws MillraceError when retention has been there */
function remaining({ settings }: Application, info: TopicInfo, partition: number, position: number): number {
  const { start } = info.partitionInfo[partition]!
  if (position >= start || info.cleanup === 'compact' || settings.onLoss === 'continue') return Math.max(position, start)
  throw lossOf(info.name, partition, position, start)
}
