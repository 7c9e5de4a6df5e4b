/** What a fetch is content with. */
export interface FetchTerms {
  readonly bytesMin: number
  readonly bytesMax: number
  readonly waitMs: number
}
