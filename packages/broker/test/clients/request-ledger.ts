/** What is known of each request, and what may become of it. */
import type { ClientProcess } from './crashing-broker.ts'
import { must } from '../core/must.ts'

export const SUBSCRIPTIONS = ['a', 'b', 'c'] as const
/** For whoever answers at once, and has nothing in the way. */
const PROMPT_MS = 10_000
/** Jitter makes timers end between milliseconds. */
const ROUNDING_MS = 1

export interface Request {
  readonly number: number
  readonly asker: ClientProcess
  /** How many answers it wants: one from a queue, or as many as come from subscriptions of a topic. */
  readonly wants: 'one' | 'all' | 'until-timeout'
  readonly sinceMs: number
  readonly timeoutMs: number
  readonly crashesBefore: number
  readonly answers: string[]
  /** `answered`, or the code of an error; undefined while it waits. */
  end: string | undefined
}

export class RequestLedger {
  readonly requests: Request[] = []
  /** What responders committed themselves to, or said. */
  readonly #said = new Set<string>()

  begin(about: Pick<Request, 'asker' | 'wants' | 'sinceMs' | 'timeoutMs' | 'crashesBefore'>): Request {
    const request = { ...about, number: this.requests.length, answers: [], end: undefined }
    this.requests.push(request)
    return request
  }

  /** A responder answers. */
  says(text: string): void {
    this.#said.add(text)
  }

  answered(request: Request, text: string, crashes: number): void {
    const { number, wants, answers, crashesBefore } = request
    must(request.end === undefined, `${number} gets ${text} after its end`)
    must(this.#said.has(text), `${number} gets ${text}, which nobody said`)
    const [from, about] = text.split(' ')
    must(Number(about) === number, `${number} gets ${text}`)
    must(wants === 'one' ? from === 'queue' : SUBSCRIPTIONS.some((name) => name === from), `${number} gets ${text}`)
    answers.push(text)
    // A question whose confirm was lost in a crash is asked again, as any message.
    const copies = answers.filter((each) => each === text).length
    must(copies <= 1 + crashes - crashesBefore, `${number} gets ${text} ${copies} times`)
  }

  /**
   * @param end `answered`, or the code of an error
   * @param calmSinceMs from when on nothing fails any more, and somebody answers
   */
  ended(request: Request, end: string, nowMs: number, crashes: number, calmSinceMs: number): void {
    const { number, wants, answers, sinceMs, timeoutMs } = request
    const untilMs = sinceMs + timeoutMs
    const isLate = nowMs >= untilMs - ROUNDING_MS
    request.end = end
    must(nowMs <= untilMs + ROUNDING_MS, `${number} ends after ${nowMs - sinceMs} ms, not within ${timeoutMs}`)
    const what = `${number}, which wants ${wants}, ends with ${end} and ${answers.join(', ') || 'nothing'}`
    if (end === 'timeout') must(isLate && wants !== 'until-timeout', what)
    else must(end === 'answered', what)
    if (end === 'timeout') must(untilMs < Math.max(calmSinceMs, sinceMs) + PROMPT_MS, what)
    if (wants === 'one' && end === 'answered') must(answers.length === 1, what)
    if (wants === 'all' && end === 'answered') must(answers.length === SUBSCRIPTIONS.length, what)
    if (wants === 'until-timeout') must(isLate, what)
    const isQuiet = crashes === request.crashesBefore && sinceMs >= calmSinceMs
    if (isQuiet && wants !== 'one') must(new Set(answers).size === SUBSCRIPTIONS.length, what)
  }

  /** @throws Error when somebody who lives still waits */
  check(): void {
    for (const { number, asker, end } of this.requests) must(asker.isDead || end !== undefined, `${number} waits for ever`)
  }
}
