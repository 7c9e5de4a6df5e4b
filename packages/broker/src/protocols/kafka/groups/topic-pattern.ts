import type { RE2JS } from 're2js'
import type { TopicPattern } from '../../../core/broker.ts'
import { maySeeTopic } from '../access.ts'
import { errors, KafkaError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Client } from '../served-api.ts'

/**
 * A pattern as KIP-848 has it: in the language of RE2, which takes time linear in the name, and about the whole name. It takes topics that
 * the client may know of. Its engine is loaded when somebody first has one.
 * @throws KafkaError INVALID_REGULAR_EXPRESSION
 */
export async function patternOf(client: Client, source: string): Promise<TopicPattern> {
  const matches = await wholeNamePattern(source)
  return {
    source,
    matches: (topic) => matches(topic) && maySeeTopic(client, topic),
  }
}

/** The same about names of other things. @throws KafkaError INVALID_REGULAR_EXPRESSION */
export async function wholeNamePattern(source: string): Promise<(name: string) => boolean> {
  const regex = await compiled(source)
  return (name) => regex.testExact(name)
}

async function compiled(source: string): Promise<RE2JS> {
  if (source.length > limits.patternLengthMax) {
    throw new KafkaError(errors.INVALID_REGULAR_EXPRESSION, `a pattern has ${limits.patternLengthMax} characters at most`)
  }
  const { RE2JS: Regex, RE2JSException } = await import('re2js')
  try {
    return Regex.compile(source)
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error
    throw new KafkaError(errors.INVALID_REGULAR_EXPRESSION, error.message)
  }
}
