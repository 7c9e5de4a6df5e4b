import type { Message, StoredMessage } from '@millrace/client'
import { printedMessage } from './message.ts'
import type { Output } from './output.ts'

/** One message of a stream of them: its body on a line, or all of it as an object. @param raw the bytes of the body alone */
export function printMessage(output: Output, message: StoredMessage | Message, raw: boolean): Promise<void> {
  if (raw) return output.write(message.value ?? '')
  if (output.format === 'table') return output.write(`${message.text()}\n`)
  if (output.format === 'yaml') return output.object(printedMessage(message), [])
  return output.write(`${JSON.stringify(printedMessage(message))}\n`)
}
