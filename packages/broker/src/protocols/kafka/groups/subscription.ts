import type { GroupDescription } from '../../../core/broker.ts'
import { MessageFormatError, MessageReader } from '../codec/message-reader.ts'

/** Of groups whose members are consumers. */
const CONSUMER = 'consumer'

/** Topics that members of a group read; undefined when it has members of whom that is not known. */
export function subscribedTopics({ protocolType, members }: GroupDescription): ReadonlySet<string> | undefined {
  const topics = new Set<string>()
  for (const { classic, consumer } of members) {
    const ofMember =
      (consumer && [...consumer.topics, ...consumer.target.map(({ topic }) => topic)]) ??
      (protocolType === CONSUMER && classic !== undefined ? named(classic.metadata) : undefined)
    if (ofMember === undefined) return undefined
    for (const topic of ofMember) topics.add(topic)
  }
  return topics
}

/** From what a consumer tells its leader: a version, the topics, and more. */
function named(metadata: Uint8Array): readonly string[] | undefined {
  const reader = new MessageReader(metadata)
  try {
    reader.int16()
    const count = reader.checkCount(reader.int32())
    return Array.from({ length: count }, () => reader.text(reader.length16()))
  } catch (error) {
    if (error instanceof MessageFormatError) return undefined
    throw error
  }
}
