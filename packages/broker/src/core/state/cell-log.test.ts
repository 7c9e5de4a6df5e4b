import { crc32c, RecordReader } from '@millrace/wire'
import { beforeEach, expect, test } from 'vitest'
import { VirtualPlatform } from '../../../sim/virtual-platform.ts'
import { openMemoryJournal } from '../../engines/memory/index.ts'
import type { LogId, LogStore } from '../../storage/log-store.ts'
import { openLogStore } from '../../storage/open-log-store.ts'
import { CommitCycle } from '../commit-cycle.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { CellLog, LoggedCell } from './cell-log.ts'
import { readCellLog, type RecoveredCells } from './read-cell-log.ts'
import { DELTA, SNAPSHOT, StateLog, TOMBSTONE } from './state-log.ts'

/** Numbers that were added; a delta takes one of them. */
class Numbers extends LoggedCell {
  readonly all: number[] = []
  #written = 0

  get isChanged(): boolean {
    return this.#written < this.all.length
  }

  writeDelta(out: ByteWriter): void {
    out.varint(this.all[this.#written++]!)
  }

  changesWritten(): void {
    this.#written = this.all.length
  }

  applyDelta(from: ByteReader): void {
    while (from.left > 0) this.all.push(from.varint())
    this.changesWritten()
  }

  writeSnapshot(out: ByteWriter): undefined {
    for (const number of this.all) out.varint(number)
    return undefined
  }
}

let platform: VirtualPlatform
let store: LogStore
let log: LogId | undefined
let cells: CellLog<Numbers>

beforeEach(async () => {
  platform = new VirtualPlatform(1)
  store = await platform.until(openLogStore({ journal: await openMemoryJournal(), platform, crc32c, limits: {} }))
  log = undefined
  const cycle = new CommitCycle(store, new StateLog(store, store.createLog(), crc32c, 0), platform.clock, () => {})
  cells = new CellLog<Numbers>({ store, crc32c, cycle }, 1_000_000, (created) => (log = created))
})

async function commit(): Promise<void> {
  store.touch()
  await platform.settle()
}

function add(cell: Numbers, ...numbers: number[]): void {
  cell.all.push(...numbers)
  cells.changed(cell, 1)
}

function read(): Promise<RecoveredCells<Numbers>> {
  const readSnapshot = (entity: number, from: ByteReader): Numbers => {
    const cell = new Numbers(entity)
    cell.applyDelta(from)
    return cell
  }
  return platform.until(readCellLog(store, log!, 'the log', readSnapshot))
}

/** Of the records that are in the log. */
async function kinds(): Promise<number[]> {
  const found: number[] = []
  for (const { bytes } of await platform.until(Promise.resolve(store.read(log!, store.bounds(log!).start, 1_000_000)))) {
    const record = new RecordReader(bytes)
    while (record.next()) found.push(record.key![0]! & 15)
  }
  return found
}

test('the log is made for the first cell, and changes take as many deltas as they need', async () => {
  await commit()
  expect(log).toBe(undefined)
  const cell = new Numbers(cells.newEntity())
  cells.snapshot(cell, 1)
  await commit()
  add(cell, 5, 6, 7)
  await commit()
  expect(await kinds()).toEqual([SNAPSHOT, DELTA, DELTA, DELTA])
  const recovered = await read()
  expect(recovered.cells.map((each) => each.cell.all)).toEqual([[5, 6, 7]])
  expect(recovered.highestEntity).toBe(cell.entity)
})

test('what changes in the commit of a snapshot is in the snapshot alone', async () => {
  const cell = new Numbers(cells.newEntity())
  add(cell, 1)
  cells.snapshot(cell, 1)
  add(cell, 2)
  await commit()
  expect(await kinds()).toEqual([SNAPSHOT])
  expect((await read()).cells.map((each) => each.cell.all)).toEqual([[1, 2]])
})

test('of a cell that is removed nothing is written any more', async () => {
  const [kept, gone] = [new Numbers(cells.newEntity()), new Numbers(cells.newEntity())]
  cells.snapshot(kept, 1)
  cells.snapshot(gone, 1)
  await commit()
  add(gone, 1)
  cells.remove(gone)
  await commit()
  expect(await kinds()).toEqual([SNAPSHOT, SNAPSHOT, TOMBSTONE])
  expect((await read()).cells.map((each) => each.cell.entity)).toEqual([kept.entity])
})

test('what is restored is written on, and entities are numbered on', async () => {
  const cell = new Numbers(cells.newEntity())
  cells.snapshot(cell, 1)
  await commit()
  const recovered = await read()
  const cycle = new CommitCycle(store, new StateLog(store, store.createLog(), crc32c, 0), platform.clock, () => {})
  cells = new CellLog<Numbers>({ store, crc32c, cycle }, 1_000_000, () => expect.unreachable())
  cells.restore(recovered)
  add(recovered.cells[0]!.cell, 8)
  await commit()
  expect((await read()).cells.map((each) => each.cell.all)).toEqual([[8]])
  expect(cells.newEntity()).toBe(cell.entity + 1)
})
