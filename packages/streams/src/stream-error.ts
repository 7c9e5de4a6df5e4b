/** A record, by where it is stored. */
export interface RecordPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** What went wrong in an application, and with which record in which operator. `cause` is what was thrown. */
export class StreamError extends Error {
  override readonly name = 'StreamError'
  readonly application: string
  /** Undefined when it is about no single operator. */
  readonly operator: string | undefined
  /** Undefined when it is about no single record. */
  readonly place: RecordPlace | undefined

  constructor(
    application: string,
    what: string,
    { operator, place, cause }: { readonly operator?: string; readonly place?: RecordPlace; readonly cause?: unknown } = {},
  ) {
    super(`${application}: ${what}`, cause === undefined ? {} : { cause })
    this.application = application
    this.operator = operator
    this.place = place
  }
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** `topic:views partition 0 offset 17` */
export function placeText({ topic, partition, offset }: RecordPlace): string {
  return `topic:${topic} partition ${partition} offset ${offset}`
}
