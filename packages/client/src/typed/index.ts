export {
  type Declaration,
  queue,
  type QueueDeclaration,
  type QueueOptions,
  topic,
  type TopicDeclaration,
  type TopicOptions,
} from './declarations.ts'
export type { Codec, Decoded, Encoded } from './typed-codec.ts'
export { type MismatchIssue, SchemaMismatch } from './schema-mismatch.ts'
export { type Serializer, serializers } from './serializer.ts'
export type { StandardSchema } from './standard-schema.ts'
export type {
  InvalidDecision,
  Typed,
  TypedConsumeOptions,
  TypedHandler,
  TypedPullOptions,
  TypedSubscription,
} from './typed-consuming.ts'
export type { SkipOptions, TypedQueue, TypedTopic } from './typed-handles.ts'
export type { TypedOutgoingMessage, TypedPublisher } from './typed-publishing.ts'
