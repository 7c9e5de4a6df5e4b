/** What an instance has done since it started, as far as it is committed. */
export class Counts {
  processed = 0
  skipped = 0
  deadLettered = 0
  commits = 0
  lastSkip: string | undefined
}
