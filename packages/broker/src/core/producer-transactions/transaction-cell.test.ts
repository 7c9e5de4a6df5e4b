import { expect, test } from 'vitest'
import { placeOf } from '../groups/place.ts'
import { ByteReader, ByteWriter, StateFormatError } from '../state/bytes.ts'
import { TransactionCell } from './transaction-cell.ts'

const stored = (offset: number) => ({ offset, leaderEpoch: -1, metadata: 'm', committedMs: 5 })

function written(write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter()
  write(out)
  return out.view().slice()
}

function snapshotOf(cell: TransactionCell): Uint8Array {
  return written((out) => cell.writeSnapshot(out))
}

function newCell(): TransactionCell {
  return new TransactionCell(3, 'p', { producerId: 2 ** 50 + 1, epoch: 7 }, 60_000, 10)
}

/** What each change leaves to write, and nothing more, makes the same of what was there before. */
test('a cell is what its snapshot and the deltas after it say', () => {
  const cell = newCell()
  const copy = TransactionCell.readSnapshot(3, new ByteReader(snapshotOf(cell)))
  const changes: (() => void)[] = [
    () => cell.begin(20),
    () => (cell.log = 0),
    () => cell.addPlace(placeOf(4, 0)),
    () => cell.addPlace(placeOf(4, 1)),
    () => cell.addOffsets('g', [{ place: placeOf(5, 0), stored: stored(1) }]),
    () => cell.addOffsets('g', [{ place: placeOf(5, 0), stored: stored(2) }]),
    () => cell.addOffsets('h', [{ place: placeOf(5, 1), stored: stored(3) }]),
    () => (cell.phase = 'committing'),
    () => cell.end('commit', 30),
    () => cell.bump('aborted', 31, () => ({ producerId: 9, epoch: 0 })),
    () => cell.begin(40),
    () => cell.addPlace(placeOf(6, 0)),
    () => {
      // Ends and begins within one commit.
      cell.end('abort', 41)
      cell.begin(42)
      cell.addPlace(placeOf(7, 0))
    },
    () => (cell.previous = undefined),
  ]
  for (const change of changes) {
    change()
    copy.applyDelta(new ByteReader(written((out) => cell.writeDelta(out))))
    cell.changesWritten()
    expect(snapshotOf(copy)).toEqual(snapshotOf(cell))
    expect(snapshotOf(TransactionCell.readSnapshot(3, new ByteReader(snapshotOf(cell))))).toEqual(snapshotOf(cell))
  }
  expect(copy).toMatchObject({ identity: { epoch: 8 }, phase: 'open', number: 3, startedMs: 42, lastOutcome: 'abort' })
  expect([...copy.places]).toEqual([placeOf(7, 0)])
})

test('a snapshot that ends early is found to be so', () => {
  const cell = newCell()
  cell.begin(20)
  cell.addPlace(placeOf(4, 0))
  cell.addOffsets('g', [{ place: placeOf(5, 0), stored: stored(1) }])
  const whole = snapshotOf(cell)
  for (let length = 0; length < whole.length; length++) {
    const part = new ByteReader(whole.subarray(0, length))
    expect(() => TransactionCell.readSnapshot(3, part)).toThrow(StateFormatError)
  }
})
