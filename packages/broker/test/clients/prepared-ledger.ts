/** What is known of each prepared message, and so where it must be. */
import type { Decision, PreparedMessage } from '@millrace/client'
import type { ClientProcess } from './crashing-broker.ts'
import { must } from '../core/must.ts'

/** Before it is decided about, a message is left to its producer so long. */
export const FIRST_CHECK_MS = 2000
export const CHECKS_MAX = 6

export interface Intent {
  readonly number: number
  readonly destination: string
  readonly producer: ClientProcess
  /** Nobody ever knows. */
  readonly isPuzzling: boolean
  readonly sinceMs: number
  readonly crashesBefore: number
  /** Crashes after which the producer had it confirmed. */
  crashesAfter: number | undefined
  prepared: PreparedMessage | undefined
  /** A row of the producers' database: whoever writes it first has decided. */
  row: Exclude<Decision, 'unknown'> | undefined
  questions: number
  /** The producer is telling the broker. */
  isTelling: boolean
  /** What came of that: the last time, and ever. */
  isTold: boolean
  wasUnknown: boolean
}

export class PreparedLedger {
  readonly intents: Intent[] = []

  begin(about: Pick<Intent, 'destination' | 'producer' | 'isPuzzling' | 'sinceMs' | 'crashesBefore'>): Intent {
    const intent: Intent = {
      ...about,
      number: this.intents.length,
      crashesAfter: undefined,
      prepared: undefined,
      row: undefined,
      questions: 0,
      isTelling: false,
      isTold: false,
      wasUnknown: false,
    }
    this.intents.push(intent)
    return intent
  }

  /** @throws Error when nobody may be asked about it */
  asked(number: number, destination: string, nowMs: number): Intent {
    const intent = this.intents[number]!
    intent.questions++
    must(destination === intent.destination, `${number} was prepared for ${intent.destination}, not ${destination}`)
    must(nowMs >= intent.sinceMs + FIRST_CHECK_MS, `somebody is asked about ${number} too early`)
    must(!intent.isTold || mayBeTwice(intent), `somebody is asked about ${number}, which its producer decided`)
    return intent
  }

  /** @throws Error when nobody may see it at its destination */
  seen(number: number, destination: string): void {
    const intent = this.intents[number]!
    must(destination === intent.destination, `${number} is in ${destination}`)
    must(intent.row === 'commit', `${number} is seen, and it is ${intent.row ?? 'undecided'}`)
  }

  /** @throws Error when the broker must not say that it is too late */
  tooLate(intent: Intent, nowMs: number): void {
    const isDue = nowMs >= intent.sinceMs + FIRST_CHECK_MS
    must(isDue || intent.wasUnknown, `${intent.number} can be decided by its producer`)
  }

  /**
   * When all has come to rest.
   * @param effects by number: how often each had its effect
   * @param dead by number: how often each is in the dead letters
   * @throws Error when a message is not where it must be
   */
  check(effects: ReadonlyMap<number, number>, dead: ReadonlyMap<number, number>): void {
    for (const intent of this.intents) {
      const { number, row, isTold } = intent
      const done = effects.get(number) ?? 0
      const given = dead.get(number) ?? 0
      const what = `${number} (${row ?? 'undecided'}, ${isTold ? 'told' : 'not told'}): ${done} effects, ${given} dead`
      must(done <= 1 && (done === 0 || row === 'commit'), what)
      if (row === 'commit') must(done + given >= 1, what)
      if (row === 'commit' && isTold) must(done === 1, what)
      if (row === undefined && intent.crashesAfter !== undefined) must(given >= 1, what)
      if (mayBeTwice(intent)) continue
      must(done + given <= 1, what)
      if (isTold) must(given === 0, what)
    }
  }
}

/** The broker may have it twice: its confirm was lost in a crash, so the client sent it again. */
export function mayBeTwice({ crashesBefore, crashesAfter }: Intent): boolean {
  return crashesAfter !== crashesBefore
}
