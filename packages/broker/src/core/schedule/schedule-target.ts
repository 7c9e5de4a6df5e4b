/** What messages are scheduled for. */
export interface ScheduleTarget {
  /** Its entity in the state log. */
  readonly entity: number
  readonly address: string
  /** Publishes a batch that was due before it could be scheduled. */
  publish(partition: number, batch: Uint8Array): unknown
  /** Gets ready to publish what is due: a batch that was checked when it was scheduled. Limits are not asked. */
  prepare(partition: number, batch: Uint8Array): PreparedPublish<number | undefined>
}

/** What only needs to be written. */
export interface PreparedPublish<Bytes extends number | undefined = number> {
  /** Room that it takes in a commit, at most; undefined: no commit holds it. */
  readonly bytes: Bytes
  /** There is room for it in the open commit, or it sees to that by itself. */
  append(): void
}
