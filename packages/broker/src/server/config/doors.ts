/** The doors that listeners can open, with the addresses they have unless told otherwise. */
export const doors: Readonly<Record<string, DoorDefaults>> = {
  native: { port: 6455, summary: 'the native protocol over TCP' },
  http: { port: 8455, summary: 'HTTP API, metrics, health and WebSockets' },
  kafka: { port: 9092, summary: 'the protocol of Apache Kafka', advertises: true },
  amqp: { port: 5672, summary: 'AMQP 0-9-1, as RabbitMQ speaks it' },
  management: { port: 15672, summary: "the HTTP API of RabbitMQ's management plugin" },
}

interface DoorDefaults {
  readonly port: number
  readonly summary: string
  /** Whether its protocol tells clients where to connect to. */
  readonly advertises?: true
}

export const DEFAULT_HOST = '127.0.0.1'
