import { MillraceError } from '../base/errors.ts'
import type { Journal } from '../ports/journal.ts'
import type { Platform } from '../ports/platform.ts'
import type { Checkpointer } from './checkpointer.ts'
import { RECORDS, RUN } from './commit-format.ts'
import type { CommitPipeline } from './commit-pipeline.ts'
import { CommitReader } from './commit-reader.ts'
import { payloadRanges } from './directory-scan.ts'
import type { LedgerExtent } from './extent-ledger.ts'
import type { StorageLimits } from './limits.ts'
import { isSameRun, resolveClaim, type Claim } from './live-rows.ts'
import { liveShare, type LogIndex } from './log-index.ts'
import { Mover, type LiveRun } from './mover.ts'
import type { ReaderPins } from './reader-pins.ts'
import type { RunCache } from './run-cache.ts'
import type { UpkeepParts } from './upkeep-parts.ts'

/**
 * Garbage collection. The ledger says which extent has the least alive; its directories say what was written there, and the index what of
 * that is alive. What is alive is copied forward; once that is durable and no reader is left, the extent is forgotten.
 *
 * Nothing is given up on the ledger's word, and nothing that the last checkpoint, or the one before, still needs for replay.
 */
export class Collector {
  readonly #index: LogIndex
  readonly #runs: RunCache
  readonly #pipeline: CommitPipeline
  readonly #checkpointer: Checkpointer
  readonly #pins: ReaderPins
  readonly #journal: Journal
  readonly #platform: Platform
  readonly #limits: StorageLimits
  readonly #reader: CommitReader
  readonly #mover: Mover
  /** Extents with damage in them: they stay as they are. By first sequence. */
  readonly #damaged = new Set<number>()
  #running: Promise<void> | undefined
  #isStopped = false
  /** What was done, for the simulator to see that it was. */
  readonly counters: CollectorCounters = { weighed: 0, leftAlone: 0, emptied: 0, freed: 0, damaged: 0 }

  constructor(parts: UpkeepParts, checkpointer: Checkpointer) {
    this.#index = parts.index
    this.#runs = parts.runs
    this.#pipeline = parts.pipeline
    this.#checkpointer = checkpointer
    this.#pins = parts.pins
    this.#journal = parts.journal
    this.#platform = parts.platform
    this.#limits = parts.limits
    this.#reader = new CommitReader(parts.journal, parts.crc32c, parts.recentHeads)
    this.#mover = new Mover(parts)
  }

  get mover(): Mover {
    return this.#mover
  }

  /** Looks for something to do, unless something is being done. */
  look(): void {
    if (this.#running !== undefined || this.#isStopped) return
    const extent = this.#choose()
    if (extent === undefined) return
    this.#running = this.#run(extent)
  }

  /** Resolves when nothing is being done any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(first: LedgerExtent): Promise<void> {
    for (
      let extent: LedgerExtent | undefined = first;
      extent !== undefined;
      extent = this.#isStopped ? undefined : this.#choose()
    ) {
      try {
        await this.#collect(extent)
      } catch (error) {
        // The pipeline has told everybody, or the store closes.
        if (this.#pipeline.failure !== undefined || this.#isStopped) break
        if (!(error instanceof MillraceError)) throw error
        this.#damaged.add(extent.first)
        this.counters.damaged++
      }
    }
    this.#running = undefined
  }

  /** The extent with the lowest share alive, if that is low enough. */
  #choose(): LedgerExtent | undefined {
    const { ledger } = this.#index
    ledger.refresh(this.#journal.extents())
    const isShort = this.#pipeline.isShortOfRoom
    const { current, previousFirst } = this.#checkpointer
    const floor = isShort || previousFirst < 0 ? current.first : previousFirst
    const shareMax = isShort ? LIVE_SHARE_MAX_WHEN_SHORT : this.#limits.liveShareMin
    const mayCopy = this.#isWorthCopying()
    let best: LedgerExtent | undefined
    let bestShare = Infinity
    let wouldHelp = false
    for (let n = 0; n < ledger.extents.length - 1; n++) {
      const extent = ledger.extents[n]!
      if (this.#damaged.has(extent.first) || extent.next === extent.first) continue
      const least = Math.max(0, extent.live - extent.drift)
      const enough = Math.min(shareMax * extent.bytes, SEEN_AGAIN_SHARE * extent.seenLive, this.#mostThatPays(extent))
      if (least >= 1 && (least >= enough || !mayCopy)) continue
      if (extent.next > floor) {
        wouldHelp = true
        continue
      }
      if (least / extent.bytes >= bestShare) continue
      best = extent
      bestShare = least / extent.bytes
    }
    if (best === undefined && wouldHelp && isShort && this.#checkpointer.commitsSince > 0) {
      this.#checkpointer.request()
      this.#pipeline.touch()
    }
    return best
  }

  /**
   * Copies, and the checkpoints between them, leave a little room unused too. Were an extent copied again only to win that back, and then
   * its copy, this would never end: enough must have died since it was written.
   */
  #mostThatPays(extent: LedgerExtent): number {
    return Math.max(this.#limits.liveShareMin * extent.bytes, SEEN_AGAIN_SHARE * extent.peakLive)
  }

  #isWorthCopying(): boolean {
    if (this.#pipeline.isShortOfRoom) return true
    const { ledger } = this.#index
    let bytes = 0
    for (const extent of ledger.extents) bytes += extent.bytes
    return bytes - ledger.liveBytes >= this.#limits.deadBytesMin
  }

  async #collect(extent: LedgerExtent): Promise<void> {
    const shareMax = this.#pipeline.isShortOfRoom ? LIVE_SHARE_MAX_WHEN_SHORT : this.#limits.liveShareMin
    const enough = shareMax * extent.bytes
    const wasSureToPay = extent.live < enough
    let alive = await this.#weigh(extent, false)
    // Compaction leaves batches behind whose offsets are alive elsewhere.
    if (alive >= enough && wasSureToPay) alive = await this.#weigh(extent, true)
    this.counters.weighed++
    if (alive > 0 && (alive >= enough || !this.#isWorthCopying() || !this.#pipeline.canCopy(alive))) {
      this.counters.leftAlone++
      return
    }
    if (alive > 0) {
      await this.#move(extent)
      this.counters.emptied++
    }
    await this.#pins.drained()
    await this.#journal.discard(extent.first, extent.next - 1)
    this.counters.freed++
    this.#pipeline.lookAgain()
  }

  /**
   * Finds out what is alive in an extent, and puts the ledger right.
   * @param isExact looks up every batch in the index, which loads runs; otherwise a batch counts if its offsets are not forgotten
   * @returns bytes alive; at least as many as there are
   */
  async #weigh(extent: LedgerExtent, isExact: boolean): Promise<number> {
    let bytes = 0
    let weight = 0
    const liveBefore = extent.live
    await this.#scan(extent, async (groups, runs) => {
      let counted: unknown
      for (const claim of isExact ? sorted(groups) : groups.flat()) {
        const { log, base, range } = claim
        if (isExact && (await resolveClaim(claim, this.#index, this.#runs)) === undefined) continue
        const share = liveShare(range.batches, range.offsets, log.deadOffsets(base, base + range.offsets))
        // A shared copy is there once, whoever holds it.
        if (counted !== range) bytes += range.length * share
        counted = range
        weight += (range.length / range.holders.length) * this.#index.ledgerShare(log, base, share)
      }
      for (const { run } of runs) {
        bytes += run.length
        weight += run.length
      }
    })
    // What changed meanwhile may be in the sum or not.
    extent.drift = Math.abs(extent.live - liveBefore)
    extent.live = weight
    extent.seenLive = weight
    return bytes
  }

  async #move(extent: LedgerExtent): Promise<void> {
    await this.#scan(extent, async (groups, runs) => {
      await this.#mover.moveBatches(sorted(groups))
      await this.#mover.moveRuns(runs)
    })
  }

  /** Walks the directories of an extent; hands out, in portions, what may be alive: a group is all claims to one stored copy. */
  async #scan(extent: LedgerExtent, visit: (groups: Claim[][], runs: readonly LiveRun[]) => Promise<void>): Promise<void> {
    let groups: Claim[][] = []
    let runs: LiveRun[] = []
    let count = 0
    let commits = 0
    for await (const commit of this.#reader.directories(extent.first, extent.next - 1)) {
      if (this.#isStopped) throw new MillraceError('closed', 'The store is closing.')
      const seq = commit.header.sequence
      for (const range of payloadRanges(commit)) {
        if (range.kind === RUN) {
          const { log: id, base: first } = range.holders[0]!
          const log = this.#index.logs.get(id)
          const run =
            log?.runs === undefined
              ? undefined
              : log.runs.find(first) < log.runs.count
                ? log.runs.at(log.runs.find(first))
                : undefined
          if (log !== undefined && run !== undefined && run.seq === seq && run.position === range.position)
            runs.push({ log, run })
        } else if (range.kind === RECORDS) {
          const claims: Claim[] = []
          for (const { log: id, base } of range.holders) {
            const log = this.#index.logs.get(id)
            if (log === undefined || log.deadOffsets(base, base + range.offsets) === range.offsets) continue
            claims.push({ log, base, seq, range })
          }
          if (claims.length > 0) groups.push(claims)
          count += claims.length
        }
      }
      if (count + runs.length >= PORTION) {
        await visit(groups, stillThere(runs))
        groups = []
        runs = []
        count = 0
      }
      if (++commits % COMMITS_PER_TURN === 0) await this.#turn()
    }
    await visit(groups, stillThere(runs))
  }

  /** Lets others run. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#platform.scheduler.endOfTurn(resolve))
  }
}

export interface CollectorCounters {
  weighed: number
  leftAlone: number
  emptied: number
  freed: number
  damaged: number
}

/** Claims, or runs, that are looked at together: neighbours in a log move together, and with them the run they are in is written once. */
const PORTION = 16_384
const COMMITS_PER_TURN = 32
/** When room is short every little helps. */
const LIVE_SHARE_MAX_WHEN_SHORT = 0.9
/** An extent that was too much alive is looked at again when so much is left of that. */
const SEEN_AGAIN_SHARE = 0.75

function sorted(groups: Claim[][]): Claim[] {
  groups.sort((a, b) => a[0]!.log.id - b[0]!.log.id || a[0]!.base - b[0]!.base)
  return groups.flat()
}

function stillThere(runs: readonly LiveRun[]): readonly LiveRun[] {
  return runs.filter(({ log, run }) => isSameRun(log, run))
}
