import type { FieldTable, PlainTable } from './field-table.ts'

/**
 * Every method of AMQP 0-9-1 (amqp0-9-1.extended.xml of RabbitMQ, which adds `connection.blocked`, `connection.update-secret`,
 * `exchange.bind`, `basic.nack`, `confirm` and others): class id and method id, and its arguments in the order of the wire. Bits that
 * follow each other share an octet. Arguments that are `reserved` are passed over in reading, and written empty.
 */
export const methodTable = {
  'connection.start': {
    ids: [10, 10],
    fields: {
      versionMajor: 'octet',
      versionMinor: 'octet',
      serverProperties: 'table',
      mechanisms: 'longstr',
      locales: 'longstr',
    },
    reply: 'connection.start-ok',
  },
  'connection.start-ok': {
    ids: [10, 11],
    fields: { clientProperties: 'table', mechanism: 'shortstr', response: 'longstr', locale: 'shortstr' },
  },
  'connection.secure': { ids: [10, 20], fields: { challenge: 'longstr' }, reply: 'connection.secure-ok' },
  'connection.secure-ok': { ids: [10, 21], fields: { response: 'longstr' } },
  'connection.tune': {
    ids: [10, 30],
    fields: { channelMax: 'short', frameMax: 'long', heartbeat: 'short' },
    reply: 'connection.tune-ok',
  },
  'connection.tune-ok': { ids: [10, 31], fields: { channelMax: 'short', frameMax: 'long', heartbeat: 'short' } },
  'connection.open': {
    ids: [10, 40],
    fields: { virtualHost: 'shortstr', reserved1: 'shortstr', reserved2: 'bit' },
    reply: 'connection.open-ok',
  },
  'connection.open-ok': { ids: [10, 41], fields: { reserved1: 'shortstr' } },
  'connection.close': {
    ids: [10, 50],
    fields: { replyCode: 'short', replyText: 'shortstr', classId: 'short', methodId: 'short' },
    reply: 'connection.close-ok',
  },
  'connection.close-ok': { ids: [10, 51], fields: {} },
  'connection.blocked': { ids: [10, 60], fields: { reason: 'shortstr' } },
  'connection.unblocked': { ids: [10, 61], fields: {} },
  'connection.update-secret': {
    ids: [10, 70],
    fields: { newSecret: 'longstr', reason: 'shortstr' },
    reply: 'connection.update-secret-ok',
  },
  'connection.update-secret-ok': { ids: [10, 71], fields: {} },

  'channel.open': { ids: [20, 10], fields: { reserved1: 'shortstr' }, reply: 'channel.open-ok' },
  'channel.open-ok': { ids: [20, 11], fields: { reserved1: 'longstr' } },
  'channel.flow': { ids: [20, 20], fields: { active: 'bit' }, reply: 'channel.flow-ok' },
  'channel.flow-ok': { ids: [20, 21], fields: { active: 'bit' } },
  'channel.close': {
    ids: [20, 40],
    fields: { replyCode: 'short', replyText: 'shortstr', classId: 'short', methodId: 'short' },
    reply: 'channel.close-ok',
  },
  'channel.close-ok': { ids: [20, 41], fields: {} },

  'access.request': {
    ids: [30, 10],
    fields: { realm: 'shortstr', exclusive: 'bit', passive: 'bit', active: 'bit', write: 'bit', read: 'bit' },
    reply: 'access.request-ok',
  },
  'access.request-ok': { ids: [30, 11], fields: { ticket: 'short' } },

  'exchange.declare': {
    ids: [40, 10],
    fields: {
      reserved1: 'short',
      exchange: 'shortstr',
      type: 'shortstr',
      passive: 'bit',
      durable: 'bit',
      autoDelete: 'bit',
      internal: 'bit',
      noWait: 'bit',
      arguments: 'table',
    },
    reply: 'exchange.declare-ok',
  },
  'exchange.declare-ok': { ids: [40, 11], fields: {} },
  'exchange.delete': {
    ids: [40, 20],
    fields: { reserved1: 'short', exchange: 'shortstr', ifUnused: 'bit', noWait: 'bit' },
    reply: 'exchange.delete-ok',
  },
  'exchange.delete-ok': { ids: [40, 21], fields: {} },
  'exchange.bind': {
    ids: [40, 30],
    fields: {
      reserved1: 'short',
      destination: 'shortstr',
      source: 'shortstr',
      routingKey: 'shortstr',
      noWait: 'bit',
      arguments: 'table',
    },
    reply: 'exchange.bind-ok',
  },
  'exchange.bind-ok': { ids: [40, 31], fields: {} },
  'exchange.unbind': {
    ids: [40, 40],
    fields: {
      reserved1: 'short',
      destination: 'shortstr',
      source: 'shortstr',
      routingKey: 'shortstr',
      noWait: 'bit',
      arguments: 'table',
    },
    reply: 'exchange.unbind-ok',
  },
  'exchange.unbind-ok': { ids: [40, 51], fields: {} },

  'queue.declare': {
    ids: [50, 10],
    fields: {
      reserved1: 'short',
      queue: 'shortstr',
      passive: 'bit',
      durable: 'bit',
      exclusive: 'bit',
      autoDelete: 'bit',
      noWait: 'bit',
      arguments: 'table',
    },
    reply: 'queue.declare-ok',
  },
  'queue.declare-ok': { ids: [50, 11], fields: { queue: 'shortstr', messageCount: 'long', consumerCount: 'long' } },
  'queue.bind': {
    ids: [50, 20],
    fields: {
      reserved1: 'short',
      queue: 'shortstr',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      noWait: 'bit',
      arguments: 'table',
    },
    reply: 'queue.bind-ok',
  },
  'queue.bind-ok': { ids: [50, 21], fields: {} },
  'queue.purge': {
    ids: [50, 30],
    fields: { reserved1: 'short', queue: 'shortstr', noWait: 'bit' },
    reply: 'queue.purge-ok',
  },
  'queue.purge-ok': { ids: [50, 31], fields: { messageCount: 'long' } },
  'queue.delete': {
    ids: [50, 40],
    fields: { reserved1: 'short', queue: 'shortstr', ifUnused: 'bit', ifEmpty: 'bit', noWait: 'bit' },
    reply: 'queue.delete-ok',
  },
  'queue.delete-ok': { ids: [50, 41], fields: { messageCount: 'long' } },
  'queue.unbind': {
    ids: [50, 50],
    fields: { reserved1: 'short', queue: 'shortstr', exchange: 'shortstr', routingKey: 'shortstr', arguments: 'table' },
    reply: 'queue.unbind-ok',
  },
  'queue.unbind-ok': { ids: [50, 51], fields: {} },

  'basic.qos': {
    ids: [60, 10],
    fields: { prefetchSize: 'long', prefetchCount: 'short', global: 'bit' },
    reply: 'basic.qos-ok',
  },
  'basic.qos-ok': { ids: [60, 11], fields: {} },
  'basic.consume': {
    ids: [60, 20],
    fields: {
      reserved1: 'short',
      queue: 'shortstr',
      consumerTag: 'shortstr',
      noLocal: 'bit',
      noAck: 'bit',
      exclusive: 'bit',
      noWait: 'bit',
      arguments: 'table',
    },
    reply: 'basic.consume-ok',
  },
  'basic.consume-ok': { ids: [60, 21], fields: { consumerTag: 'shortstr' } },
  'basic.cancel': { ids: [60, 30], fields: { consumerTag: 'shortstr', noWait: 'bit' }, reply: 'basic.cancel-ok' },
  'basic.cancel-ok': { ids: [60, 31], fields: { consumerTag: 'shortstr' } },
  'basic.publish': {
    ids: [60, 40],
    fields: { reserved1: 'short', exchange: 'shortstr', routingKey: 'shortstr', mandatory: 'bit', immediate: 'bit' },
    hasContent: true,
  },
  'basic.return': {
    ids: [60, 50],
    fields: { replyCode: 'short', replyText: 'shortstr', exchange: 'shortstr', routingKey: 'shortstr' },
    hasContent: true,
  },
  'basic.deliver': {
    ids: [60, 60],
    fields: {
      consumerTag: 'shortstr',
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortstr',
      routingKey: 'shortstr',
    },
    hasContent: true,
  },
  'basic.get': {
    ids: [60, 70],
    fields: { reserved1: 'short', queue: 'shortstr', noAck: 'bit' },
    /** Or `basic.get-empty`. */
    reply: 'basic.get-ok',
  },
  'basic.get-ok': {
    ids: [60, 71],
    fields: { deliveryTag: 'longlong', redelivered: 'bit', exchange: 'shortstr', routingKey: 'shortstr', messageCount: 'long' },
    hasContent: true,
  },
  'basic.get-empty': { ids: [60, 72], fields: { reserved1: 'shortstr' } },
  'basic.ack': { ids: [60, 80], fields: { deliveryTag: 'longlong', multiple: 'bit' } },
  'basic.reject': { ids: [60, 90], fields: { deliveryTag: 'longlong', requeue: 'bit' } },
  'basic.recover-async': { ids: [60, 100], fields: { requeue: 'bit' } },
  'basic.recover': { ids: [60, 110], fields: { requeue: 'bit' }, reply: 'basic.recover-ok' },
  'basic.recover-ok': { ids: [60, 111], fields: {} },
  'basic.nack': { ids: [60, 120], fields: { deliveryTag: 'longlong', multiple: 'bit', requeue: 'bit' } },

  'confirm.select': { ids: [85, 10], fields: { noWait: 'bit' }, reply: 'confirm.select-ok' },
  'confirm.select-ok': { ids: [85, 11], fields: {} },

  'tx.select': { ids: [90, 10], fields: {}, reply: 'tx.select-ok' },
  'tx.select-ok': { ids: [90, 11], fields: {} },
  'tx.commit': { ids: [90, 20], fields: {}, reply: 'tx.commit-ok' },
  'tx.commit-ok': { ids: [90, 21], fields: {} },
  'tx.rollback': { ids: [90, 30], fields: {}, reply: 'tx.rollback-ok' },
  'tx.rollback-ok': { ids: [90, 31], fields: {} },
} as const

/** What one line of the table may say. */
export interface MethodShape {
  /** Class and method. */
  readonly ids: readonly [number, number]
  readonly fields: Readonly<Record<string, FieldKind>>
  /** What answers it. */
  readonly reply?: MethodName
  /** A content header and body frames follow. */
  readonly hasContent?: boolean
}

export type MethodName = keyof typeof methodTable

/** What each kind of field is in JavaScript. Bytes are borrowed from the frame. */
export interface FieldKinds {
  octet: number
  short: number
  long: number
  /** Beyond 2^53 it loses precision: no delivery tag gets there. */
  longlong: number
  shortstr: string
  longstr: Uint8Array
  bit: boolean
  /** Seconds since 1970. */
  timestamp: number
  table: FieldTable
}

export type FieldKind = keyof FieldKinds

/** What may be given for it when it is written. */
interface WrittenKinds extends Omit<FieldKinds, 'longstr' | 'table'> {
  longstr: Uint8Array | string
  table: FieldTable | PlainTable
}

type Fields<Name extends MethodName> = (typeof methodTable)[Name]['fields']
type ArgumentName<Name extends MethodName> = Exclude<keyof Fields<Name>, `reserved${string}`>
type Arguments<Name extends MethodName, Kinds extends Record<FieldKind, unknown>> = {
  readonly [Field in ArgumentName<Name>]: Fields<Name>[Field] extends FieldKind ? Kinds[Fields<Name>[Field]] : never
}

/** As they are read. */
export type MethodArguments<Name extends MethodName> = Arguments<Name, { [Kind in FieldKind]: FieldKinds[Kind] }>
/** As they are written. */
export type WrittenArguments<Name extends MethodName> = Arguments<Name, { [Kind in FieldKind]: WrittenKinds[Kind] }>

/** A method that came in; `switch (method.name)` tells its arguments. */
export type Method = {
  [Name in MethodName]: { readonly name: Name; readonly args: MethodArguments<Name> }
}[MethodName]
