import { topicAddress } from '@millrace/wire'
import type { Millrace, QueueSpec, SubscriptionSpec, TopicSpec } from '../api.ts'
import type { InputOf, OutputOf, StandardSchema } from './standard-schema.ts'
import { type Codec, type MessageOptions, TypedCodec } from './typed-codec.ts'
import { QueueFace, TopicFace, type TypedQueue, type TypedTopic } from './typed-handles.ts'

/** What both sides of a queue or topic agree on. `client.use(declaration)` gives its typed handle. */
export interface Declaration<Handle> {
  readonly name: string
  /** `queue:NAME` or `topic:NAME`. */
  readonly destination: string
  /** The handle for that client. `Millrace.use` calls this. */
  on(client: Millrace): Handle
  /**
   * Creates on the broker what is missing, with the declared settings.
   * @throws MillraceError `already_exists` when it exists with other settings
   */
  declare(client: Millrace): Promise<void>
}

/** What a declaration says about bodies, for use beside its handle. */
interface Coded<S extends StandardSchema> {
  readonly codec: Codec<InputOf<S>, OutputOf<S>>
}

export type QueueDeclaration<S extends StandardSchema> = Declaration<TypedQueue<InputOf<S>, OutputOf<S>>> & Coded<S>

export type TopicDeclaration<S extends StandardSchema> = Declaration<TypedTopic<InputOf<S>, OutputOf<S>>> & Coded<S>

/** Shape of the messages, and settings of the queue. */
export type QueueOptions<S extends StandardSchema> = MessageOptions<S> & Omit<QueueSpec, 'name'>

/** Shape of the messages, and settings of the topic. */
export type TopicOptions<S extends StandardSchema> = MessageOptions<S> &
  Omit<TopicSpec, 'name'> & {
    /** Subscriptions that belong to it, by name. Others may be used as well. */
    readonly subscriptions?: Readonly<Record<string, Omit<SubscriptionSpec, 'topic' | 'name'>>>
  }

/** Declares a queue. Nothing is sent to a broker yet. */
export function queue<S extends StandardSchema>(name: string, options: QueueOptions<S>): QueueDeclaration<S> {
  const { schema: _schema, key: _key, id: _id, priority: _priority, serializer: _serializer, ...settings } = options
  const codec = codecOf(`queue:${name}`, options)
  return {
    name,
    destination: codec.destination,
    codec,
    on: (client) => new QueueFace(client, name, codec),
    declare: (client) => client.admin.createQueue({ ...settings, name }),
  }
}

/** Declares a topic. Nothing is sent to a broker yet. */
export function topic<S extends StandardSchema>(name: string, options: TopicOptions<S>): TopicDeclaration<S> {
  const {
    schema: _schema,
    key: _key,
    id: _id,
    priority: _priority,
    serializer: _serializer,
    subscriptions = {},
    ...settings
  } = options
  const codec = codecOf(topicAddress(name), options)
  return {
    name,
    destination: codec.destination,
    codec,
    on: (client) => new TopicFace(client, name, codec),
    async declare(client) {
      await client.admin.createTopic({ ...settings, name })
      for (const [subscription, spec] of Object.entries(subscriptions)) {
        await client.admin.createSubscription({ ...spec, topic: name, name: subscription })
      }
    },
  }
}

function codecOf<S extends StandardSchema>(destination: string, options: MessageOptions<S>): TypedCodec<InputOf<S>, OutputOf<S>> {
  // The compiler cannot see that a schema is the schema of what is inferred from it.
  return new TypedCodec(destination, options as unknown as MessageOptions<StandardSchema<InputOf<S>, OutputOf<S>>>)
}
