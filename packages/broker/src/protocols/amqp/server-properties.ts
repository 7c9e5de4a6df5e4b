import type { PlainTable } from './codec/field-table.ts'

/** What `connection.start` tells of this broker. Clients look at the capabilities, by RabbitMQ's names. */
export function serverProperties(version: string): PlainTable {
  return {
    capabilities: {
      publisher_confirms: true,
      exchange_exchange_bindings: true,
      'basic.nack': true,
      consumer_cancel_notify: true,
      'connection.blocked': true,
      consumer_priorities: true,
      authentication_failure_close: true,
      per_consumer_qos: true,
      direct_reply_to: true,
    },
    cluster_name: 'millrace',
    copyright: 'The authors of Millrace',
    information: 'Licensed under the Apache License 2.0',
    platform: 'Node.js',
    product: 'Millrace',
    version,
  }
}
