import { crc32c, decodeBatch, encodeBatch } from '@millrace/wire'
import { beforeEach, describe, expect, test } from 'vitest'
import { SimulatedJournal } from '../../sim/simulated-journal.ts'
import { VirtualPlatform } from '../../sim/virtual-platform.ts'
import { journalOver } from '../../test/core/journal-over.ts'
import { Held, Lease } from '../base/lease.ts'
import { openMemoryJournal, type MemoryJournalOptions } from '../engines/memory/memory-journal.ts'
import type { StorageLimits } from './limits.ts'
import type { LogId, LogStore, StoredBatch } from './log-store.ts'
import { openLogStore } from './open-log-store.ts'

let platform: VirtualPlatform
beforeEach(() => {
  platform = new VirtualPlatform()
})

describe('appends', () => {
  test('get offsets at once, are readable once committed, and are there when the store is opened again', async () => {
    const journal = await simulatedJournal()
    const store = await open(journal)
    const a = store.createLog()
    const b = store.createLog()
    expect([store.append(a, text('one'), 1), store.append(b, text('two'), 1), store.append(a, text('three'), 1)]).toEqual([
      0, 0, 1,
    ])
    expect(store.appendShared([a, b], text('four'), 1)).toEqual([2, 1])
    expect(store.append(a, text('five'), 1)).toBe(3)
    const ticket = store.ticket()
    expect(store.bounds(a)).toEqual({ start: 0, end: 0, bytes: 0 })
    expect(store.read(a, 0, 1000)).toEqual([])

    await rest()
    expect(store.committedTicket).toBe(ticket)
    expect(await texts(store, a)).toEqual(['one', 'three', 'four', 'five'])
    const reopened = await open(journal)
    expect(reopened.logs()).toEqual([a, b])
    expect(await texts(reopened, a)).toEqual(['one', 'three', 'four', 'five'])
    expect(await texts(reopened, b)).toEqual(['two', 'four'])
    expect(reopened.bounds(a)).toEqual(store.bounds(a))
  })

  test('that logs share keep their order and bytes, small and large by turns, as far as they fit into one entry and beyond', async () => {
    const journal = await simulatedJournal()
    const store = await open(journal, { largeBatchBytes: 2000, entryBytesMax: 10_000 })
    const logs = [store.createLog(), store.createLog(), store.createLog()]
    const written: string[] = []
    for (let n = 0; n < 100; n++) {
      const value = `${n} `.padEnd(n % 7 === 0 ? 3000 : 10 + 17 * n, 'x')
      const bytes = text(value)
      store.appendShared(n < 50 ? logs : logs.slice(1), bytes, 1)
      bytes.fill(0)
      written.push(value)
    }
    await rest()
    for (const each of [store, await open(journal)]) {
      expect(await texts(each, logs[0]!)).toEqual(written.slice(0, 50))
      for (const log of logs.slice(1)) expect(await texts(each, log)).toEqual(written)
    }
  })

  test('of one turn share a commit, and all of a long append under way share the next one', async () => {
    const journal = await simulatedJournal()
    const store = await open(journal)
    const log = store.createLog()
    await rest()
    const commits: number[] = []
    store.onCommitted((ticket) => commits.push(ticket))
    const first = store.ticket()
    for (let n = 0; n < 10; n++) store.append(log, text('a'), 1)
    platform.runTurn()
    for (let n = 0; n < 10; n++) {
      store.append(log, text('b'), 1)
      platform.runTurn()
    }
    await rest()
    expect(commits).toEqual([first, first + 1])
    expect(store.bounds(log).end).toBe(20)
  })

  test('may gather state just before a commit closes, in that commit', async () => {
    const store = await open(await simulatedJournal())
    const log = store.createLog()
    await rest()
    const before = store.ticket()
    const stop = store.onClosing(() => store.append(log, text('state'), 1))
    store.touch()
    await rest()
    stop()
    expect(store.committedTicket).toBe(before)
    expect(await texts(store, log)).toEqual(['state'])
  })

  test('that are too large, or go to no log, are refused and change nothing', async () => {
    const store = await open(await simulatedJournal({ batchBytesMax: 16 * 1024 }))
    const log = store.createLog()
    expect(() => store.append(log, new Uint8Array(store.limits.batchBytesMax + 1), 1)).toThrow(expectCode('record_too_large'))
    expect(() => store.reserve(16 * 1024)).toThrow(expectCode('record_too_large'))
    expect(() => store.append(log + 1, text('a'), 1)).toThrow(expectCode('not_found'))
    expect(store.append(log, text('a'), 1)).toBe(0)
  })

  test('with any timestamp a client may set are kept', async () => {
    const store = await open(await simulatedJournal())
    const log = store.createLog()
    const stamps = [-1, 0, 2 ** 62, -(2 ** 62), 1000]
    for (const timestampMs of stamps) store.append(log, encodeBatch([{ timestampMs, value: new Uint8Array(1) }]), 1)
    await rest()
    expect(await platform.until(store.offsetForTimestamp(log, 2000))).toBe(2)
    expect((await everything(store, log)).length).toBe(stamps.length)
  })
})

/** 6 MB of messages, of which the first and one in 50 stay, and the others go soon. */
async function publishWithSomeStuck(deadBytesMin: number): Promise<LogStore> {
  const journal = await simulatedJournal({ extentBytes: 64 * 1024, bytesMax: 128 * 1024 * 1024 })
  const store = await open(journal, { checkpointBytes: 128 * 1024, checkpointRatio: 0, collectCommits: 4, deadBytesMin })
  const log = store.createLog()
  const batch = text('x'.repeat(1000))
  store.append(log, text('stuck'), 1)
  for (let n = 1; n < 6000; n++) {
    const offset = store.append(log, batch, 1)
    if (n > 20 && n % 50 !== 0) store.discard(log, offset - 10, offset - 10)
    await platform.advance(1)
  }
  await rest()
  expect(store.stats.committedBytes).toBeGreaterThan(6_000_000)
  const [stuck] = await platform.until(Promise.resolve(store.read(log, 0, 1)))
  expect(textOf(stuck!)).toBe('stuck')
  return store
}

describe('forgetting', () => {
  test('a deleted log is gone at once, and its number is not used again', async () => {
    const journal = await simulatedJournal()
    const store = await open(journal)
    const log = store.createLog()
    store.append(log, text('a'), 1)
    await rest()
    store.deleteLog(log)
    store.deleteLog(12_345)
    expect(store.logs()).toEqual([])
    expect(() => store.bounds(log)).toThrow(expectCode('not_found'))
    await rest()
    const reopened = await open(journal)
    expect(reopened.logs()).toEqual([])
    expect(reopened.createLog()).toBeGreaterThan(log)
  })

  test('trimming never goes back and stops at the end', async () => {
    const store = await open(await simulatedJournal())
    const log = store.createLog()
    for (let n = 0; n < 10; n++) store.append(log, text(`${n}`), 1)
    store.trim(log, 7)
    store.trim(log, 3)
    await rest()
    expect(store.bounds(log)).toMatchObject({ start: 7, end: 10 })
    expect(() => store.read(log, 6, 1)).toThrow(expectCode('offset_out_of_range'))
    store.trim(log, 1000)
    await rest()
    expect(store.bounds(log)).toEqual({ start: 10, end: 10, bytes: 0 })
    expect(store.append(log, text('next'), 1)).toBe(10)
  })

  test('messages that nobody acknowledges do not pin what was stored beside them', async () => {
    const { stats } = await publishWithSomeStuck(0)
    expect(stats.journalBytes).toBeLessThan(1_500_000)
    expect(stats.copiedForwardBytes).toBeGreaterThan(0)
  })

  test('nothing is copied while little is dead', async () => {
    const { stats } = await publishWithSomeStuck(100_000_000)
    expect(stats.copiedForwardBytes).toBe(0)
    expect((await publishWithSomeStuck(2_000_000)).stats.journalBytes).toBeLessThan(3_000_000)
  })
})

describe('overload', () => {
  test('a publisher that waits for relief keeps what is pending bounded', async () => {
    const store = await open(await simulatedJournal(), {
      pendingBytesHigh: 50_000,
      pendingBytesLow: 20_000,
      commitBytesMax: 10_000,
    })
    const log = store.createLog()
    let relieved = 0
    store.onRelief(() => relieved++)
    const batch = text('x'.repeat(500))
    let most = 0
    for (let n = 0; n < 2000; n++) {
      if (store.pendingBytes > store.limits.pendingBytesHigh) await rest()
      store.append(log, batch, 1)
      most = Math.max(most, store.pendingBytes)
    }
    await rest()
    expect(relieved).toBeGreaterThan(3)
    expect(most).toBeLessThan(52_000)
    expect(store.pendingBytes).toBe(0)
    expect(store.bounds(log).end).toBe(2000)
  })

  test('a journal without room stops publishes, keeps what is pending, and writes it when there is room', async () => {
    const journal = await simulatedJournal()
    const store = await open(journal)
    const log = store.createLog()
    await rest()
    let relieved = 0
    store.onRelief(() => relieved++)
    journal.faults.full = 3
    store.append(log, text('kept'), 1)
    await platform.advance(10)
    expect(store.acceptsPublishes).toBe(false)
    expect(store.bounds(log).end).toBe(0)
    await platform.advance(5000)
    expect(store.acceptsPublishes).toBe(true)
    expect(relieved).toBe(1)
    expect(await texts(store, log)).toEqual(['kept'])
  })

  test('closing with a full journal says so', async () => {
    const journal = await simulatedJournal()
    const store = await open(journal)
    journal.faults.full = 1000
    store.append(store.createLog(), text('lost'), 1)
    await expect(platform.until(store.close())).rejects.toThrow(expectCode('disk_full'))
  })
})

describe('failure', () => {
  test('after an unknown outcome nothing is confirmed and appends are refused, but what was committed can be read', async () => {
    const journal = await simulatedJournal()
    const store = await open(journal)
    const log = store.createLog()
    store.append(log, text('before'), 1)
    await rest()
    const failures: Error[] = []
    store.onFailed((error) => failures.push(error))
    const { committedTicket } = store
    journal.faults.unknown = true
    store.append(log, text('unknown'), 1)
    await rest()
    expect(failures).toEqual([expectCode('outcome_unknown')])
    expect(store.committedTicket).toBe(committedTicket)
    expect(store.acceptsPublishes).toBe(false)
    expect(() => store.append(log, text('after'), 1)).toThrow(expectCode('outcome_unknown'))
    expect(await texts(store, log)).toEqual(['before'])
    await platform.until(store.close())
  })

  test('the younger of two owners fences out the older one', async () => {
    const journal = await simulatedJournal()
    const older = await open(journal)
    const log = older.createLog()
    older.append(log, text('older'), 1)
    await rest()
    const younger = await open(journal)
    let failed = 0
    older.onFailed(() => failed++)
    older.append(log, text('too late'), 1)
    younger.append(log, text('younger'), 1)
    await rest()
    expect(failed).toBe(1)
    expect(await texts(younger, log)).toEqual(['older', 'younger'])
    expect(await texts(await open(journal), log)).toEqual(['older', 'younger'])
  })

  test('damaged records are noticed when they are read from the journal', async () => {
    const journal = await simulatedJournal()
    const store = await open(journal)
    const log = store.createLog()
    store.append(log, text('hello world'), 1)
    await rest()
    const length = await journal.length(store.committedTicket - 1)
    journal.faults.damaged.set(store.committedTicket - 1, { from: length - 3, to: length - 2 })
    const reopened = await open(journal)
    await expect(platform.until(Promise.resolve(reopened.read(log, 0, 1)))).rejects.toThrow(expectCode('data_corrupt'))
  })

  test('a damaged newest commit is an error, not an empty store', async () => {
    const journal = await simulatedJournal()
    await open(journal)
    journal.faults.damaged.set(journal.bounds().next - 1, { from: 20, to: 21 })
    await expect(open(journal)).rejects.toThrow(expectCode('data_corrupt'))
  })
})

test('what is read for somebody who gives up meanwhile is held until it was looked at', async () => {
  class Memory extends Held {
    isFree = false

    protected released(): void {
      this.isFree = true
    }
  }
  const inner = await simulatedJournal()
  const memory = new Memory()
  const lease = new Lease()
  let wasFree: boolean | undefined
  const journal = journalOver(inner, {
    readParts: async (parts, lent) => {
      const read = await inner.readParts(parts)
      lent!.add(memory)
      memory.release()
      lease.release()
      await Promise.resolve()
      wasFree = memory.isFree
      return read
    },
  })
  const store = await platform.until(openLogStore({ journal, platform, crc32c, limits: { tailCacheBytes: 1 } }))
  const log = store.createLog()
  store.append(log, text('one'), 1)
  await rest()
  expect(await store.read(log, 0, 100, lease)).toHaveLength(1)
  expect([wasFree, memory.isFree]).toEqual([false, true])
})

test('closing waits for reads of the journal that are under way', async () => {
  const inner = await simulatedJournal()
  const released: (() => void)[] = []
  let closed = false
  const journal = journalOver(inner, {
    readParts: async (parts) => {
      await new Promise<void>((resolve) => released.push(resolve))
      if (closed) throw new Error('read from a closed journal')
      return inner.readParts(parts)
    },
  })
  const store = await platform.until(openLogStore({ journal, platform, crc32c, limits: { tailCacheBytes: 1 } }))
  const log = store.createLog()
  for (let n = 0; n < 5; n++) {
    store.append(log, text(`${n}`), 1)
    await rest()
  }
  const read = Promise.resolve(store.read(log, 0, 1000))
  const closing = store.close().then(() => (closed = true))
  await rest()
  expect(closed).toBe(false)
  for (const release of released) release()
  expect((await platform.until(read)).map(textOf)).toContain('0')
  await platform.until(closing)
})

test('a long backlog takes little memory, and little reading to open again', async () => {
  const journal = await simulatedJournal({ extentBytes: 1024 * 1024 })
  const store = await open(journal, { checkpointBytes: 1024 * 1024, tailCacheBytes: 1024 * 1024 })
  const logs = Array.from({ length: 20 }, () => store.createLog())
  const batch = text('x'.repeat(100))
  const messages = 60_000
  for (let n = 0; n < messages; n++) {
    store.append(logs[n % logs.length]!, batch, 1)
    if (n % 100 === 99) await platform.advance(4)
  }
  await rest()
  const before = journal.reads
  const reopened = await open(journal, { checkpointBytes: 1024 * 1024 })
  const commits = store.stats.commits
  expect(commits).toBeGreaterThan(500)
  expect(journal.reads - before).toBeLessThan(commits / 3)
  expect(reopened.stats.indexBytes).toBeLessThan(400_000)
  expect(reopened.stats.cacheBytes).toBeLessThan(10_000)
  for (const log of logs) expect(reopened.bounds(log).end).toBe(messages / logs.length)
}, 60_000)

test('who reads what is on disk in order gets it at once from the third read on, and sees what was forgotten or replaced since', async () => {
  const journal = await simulatedJournal()
  const store = await open(journal, { tailCacheBytes: 1, batchBytesMax: 64 * 1024 })
  const log = store.createLog()
  for (let n = 0; n < 400; n++) {
    store.append(log, text(`${n}`.padEnd(1000)), 1)
    if (n % 5 === 0) await rest()
  }
  await rest()
  const read = async (from: number): Promise<number> => {
    const batches = await platform.until(Promise.resolve(store.read(log, from, 20_000)))
    expect(batches.map(textOf).map(Number)).toEqual(batches.map((_, n) => from + n))
    await rest()
    return batches.at(-1)!.lastOffset + 1
  }
  const next = await read(await read(0))
  const readsBefore = journal.reads
  const ready = store.read(log, next, 20_000)
  expect(ready).not.toBeInstanceOf(Promise)
  expect((ready as readonly StoredBatch[]).length).toBeGreaterThanOrEqual(19)
  expect(journal.reads).toBe(readsBefore)
  expect(store.stats.cacheBytes).toBeGreaterThan(20_000)

  expect(await platform.until(store.replace(log, 60, 60, 60, text('other')))).toBe(true)
  store.discard(log, 61, 62)
  await rest()
  const after = await platform.until(Promise.resolve(store.read(log, 59, 4000)))
  expect(after.map((batch) => textOf(batch).trim()).slice(0, 3)).toEqual(['59', 'other', '63'])
  await platform.until(store.close())
})

async function simulatedJournal(options: MemoryJournalOptions = {}): Promise<SimulatedJournal> {
  return new SimulatedJournal(await openMemoryJournal(options), platform, true)
}

function open(journal: SimulatedJournal, limits: Partial<StorageLimits> = {}): Promise<LogStore> {
  return platform.until(openLogStore({ journal, platform, crc32c, limits }))
}

function rest(): Promise<void> {
  return platform.advance(100)
}

function text(value: string): Uint8Array {
  return encodeBatch([{ timestampMs: 1000, value: new TextEncoder().encode(value) }])
}

function textOf({ bytes }: StoredBatch): string {
  return new TextDecoder().decode(decodeBatch(bytes)[0]!.value!)
}

async function everything(store: LogStore, log: LogId): Promise<StoredBatch[]> {
  const { start, end } = store.bounds(log)
  const found: StoredBatch[] = []
  for (let offset = start; offset < end; offset = found.at(-1)!.lastOffset + 1) {
    found.push(...(await platform.until(Promise.resolve(store.read(log, offset, 200)))))
  }
  return found
}

async function texts(store: LogStore, log: LogId): Promise<string[]> {
  return (await everything(store, log)).map(textOf)
}

function expectCode(code: string): Error {
  return expect.objectContaining({ code }) as Error
}
