/** Whether the process runs short of memory, as whoever can measure it says. */
export interface MemoryGauge {
  readonly isShort: boolean
  /** Calls back when `isShort` changed. @returns a function that stops it */
  onChange(listener: () => void): () => void
}
