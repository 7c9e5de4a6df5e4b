import { expect, test } from 'vitest'
import { isMessageProperty, messageProperties } from './message-properties.ts'
import { PRIORITY_HEADER } from './priority.ts'
import { CORRELATION_ID_HEADER, EXPIRES_AT_HEADER, MESSAGE_ID_HEADER, REPLY_TO_HEADER } from './record-batch.ts'

test('headers that had a name before keep it', () => {
  const { priority, expiresAt, messageId, replyTo, correlationId } = messageProperties
  expect([priority, expiresAt, messageId, replyTo, correlationId]).toEqual([
    PRIORITY_HEADER,
    EXPIRES_AT_HEADER,
    MESSAGE_ID_HEADER,
    REPLY_TO_HEADER,
    CORRELATION_ID_HEADER,
  ])
})

test('names that an application may not use for something else', () => {
  expect(['type', 'amqp-headers', 'millrace-anything'].every((name) => isMessageProperty(name))).toBe(true)
  expect(['Type', 'x-death', 'millrace', ''].some((name) => isMessageProperty(name))).toBe(false)
})
