import { type Message, MillraceError, type Transaction } from '@millrace/client'
import { REPLY_TO_HEADER } from '@millrace/wire'
import type { Command } from 'commander'
import { usageError } from '../failure.ts'
import { addHandlingOptions, handleMessages, type HandlingFlags, parseSource } from '../message-handling.ts'
import { collectHeader } from '../quantities.ts'
import { runForMessage } from '../shell-command.ts'

interface ReplyFlags extends HandlingFlags {
  readonly exec?: string
  readonly echo?: true
  readonly header?: Readonly<Record<string, string>>
}

type Answer = (message: Message) => string | Uint8Array | Promise<Uint8Array>

export function addReply(program: Command): void {
  addHandlingOptions(
    program
      .command('reply')
      .description('Answer requests, and ack each with its answer')
      .argument('<source>', 'queue:NAME or topic:NAME/SUBSCRIPTION')
      .argument('[body]', 'the same answer to all of them')
      .option(
        '--exec <command>',
        'answer with what a command of the shell prints, which has the body of the request as its input',
      )
      .option('--echo', 'answer with the body of the request')
      .option('-H, --header <name=value>', 'add a header to the answers; may be repeated', collectHeader),
  ).action(async (source: string, body: string | undefined, flags: ReplyFlags, command: Command) => {
    parseSource(source)
    const answer = answerOf(body, flags)
    const options = flags.header === undefined ? {} : { headers: flags.header }
    const work = async (message: Message): Promise<(transaction: Transaction) => void> => {
      if ((message.headers[REPLY_TO_HEADER] ?? null) === null) return rejection(message)
      const reply = await answer(message)
      return (transaction) => {
        transaction.reply(message, reply, options)
        transaction.ack(message)
      }
    }
    await handleMessages(command, source, flags, 'answered', work, withoutAsker)
  })
}

/** @throws CommandError unless exactly one answer is given */
function answerOf(body: string | undefined, { exec, echo }: ReplyFlags): Answer {
  const answers: Answer[] = []
  if (body !== undefined) answers.push(() => body)
  if (exec !== undefined) answers.push((message) => runForMessage(exec, message))
  if (echo === true) answers.push((message) => message.value ?? '')
  const [answer, ...others] = answers
  if (answer !== undefined && others.length === 0) return answer
  throw usageError('Say what to answer: a body after the source, or --exec COMMAND, or --echo.')
}

/** Another attempt would find nobody, either. The answer is all that such a transaction publishes. */
function withoutAsker(message: Message, error: unknown): ((transaction: Transaction) => void) | undefined {
  if (!(error instanceof MillraceError) || error.code !== 'not_found') return undefined
  process.stderr.write(`message ${message.offset} was acked without an answer: whoever asked is gone\n`)
  return (transaction) => transaction.ack(message)
}

/** It would ask for no answer however often it comes. */
function rejection(message: Message): (transaction: Transaction) => void {
  const why = `it asks for no answer: it has no header ${REPLY_TO_HEADER}`
  process.stderr.write(`message ${message.offset} was rejected: ${why}\n`)
  return (transaction) => transaction.reject(message, why)
}
