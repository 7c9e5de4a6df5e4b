import { isIPv6 } from 'node:net'
import { MillraceError } from '../../base/errors.ts'
import type { Peer } from '../../protocols/session.ts'
import { hostOf } from './peer-host.ts'

const FREE_FAILURES = 10
const WAIT_MS_MIN = 1000
const WAIT_MS_MAX = 60_000
const FORGET_MS = 600_000
const ADDRESSES_MAX = 10_000

interface Entry {
  failures: number
  atMs: number
}

/** Slows down those who guess: after ten failures from an address each further one costs a wait, which doubles up to a minute. */
export class FailedLogins {
  /** In the order of the last failure, so that the first is the one to forget. */
  readonly #entries = new Map<string, Entry>()
  readonly #nowMs: () => number

  /** @param nowMs monotonic */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** @throws MillraceError `overloaded` while the address has to wait */
  check(peer: Peer): void {
    const entry = this.#entries.get(keyOf(peer))
    if (entry === undefined || entry.failures < FREE_FAILURES) return
    const waitMs = Math.min(WAIT_MS_MAX, WAIT_MS_MIN * 2 ** Math.min(entry.failures - FREE_FAILURES, 16))
    const leftMs = entry.atMs + waitMs - this.#nowMs()
    if (leftMs <= 0) return
    throw new MillraceError(
      'overloaded',
      `Too many logins from this address have failed: the next one counts in ${Math.ceil(leftMs / 1000)} s.`,
    )
  }

  failed(peer: Peer): void {
    const key = keyOf(peer)
    const nowMs = this.#nowMs()
    const before = this.#entries.get(key)
    const failures = before === undefined || nowMs - before.atMs > FORGET_MS ? 0 : before.failures
    this.#entries.delete(key)
    this.#entries.set(key, { failures: failures + 1, atMs: nowMs })
    if (this.#entries.size > ADDRESSES_MAX) this.#entries.delete(this.#entries.keys().next().value!)
  }

  succeeded(peer: Peer): void {
    this.#entries.delete(keyOf(peer))
  }
}

/** Whoever has one IPv6 address has its whole /64. */
function keyOf({ address }: Peer): string {
  const host = hostOf(address)
  if (!isIPv6(host)) return host
  const [head = '', tail] = host.split('::')
  const start = head.split(':')
  const missing = tail === undefined ? 0 : 8 - start.length - tail.split(':').length
  return [...start, ...Array.from({ length: Math.max(missing, 0) }, () => '0'), ...(tail ?? '').split(':')].slice(0, 4).join(':')
}
