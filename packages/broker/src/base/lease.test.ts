import { expect, test } from 'vitest'
import { Held, Lease } from './lease.ts'

class Memory extends Held {
  uses = 0

  protected released(): void {
    this.uses++
  }
}

test('is used again when the last holder let go of it', () => {
  const memory = new Memory()
  memory.hold()
  memory.release()
  expect(memory.uses).toBe(0)
  memory.release()
  expect(memory.uses).toBe(1)
})

test('nobody holds or releases what others may use', () => {
  const memory = new Memory()
  memory.release()
  expect(() => memory.hold()).toThrow('hold')
  expect(() => memory.release()).toThrow('release')
})

test('a lease holds what was lent until it is released', () => {
  const [one, other] = [new Memory(), new Memory()]
  const lease = new Lease()
  for (const memory of [one, one, other, one]) lease.add(memory)
  one.release()
  other.release()
  expect([one.uses, other.uses]).toEqual([0, 0])
  lease.release()
  expect([one.uses, other.uses]).toEqual([1, 1])
})

test('what is lent by a lease is lent as long as either is held', () => {
  const memory = new Memory()
  const [read, reader] = [new Lease(), new Lease()]
  read.add(memory)
  memory.release()
  reader.add(read)
  read.release()
  expect(memory.uses).toBe(0)
  reader.release()
  expect(memory.uses).toBe(1)
})

test('after the end of a lease nothing is lent', () => {
  const memory = new Memory()
  const lease = new Lease()
  lease.release()
  lease.add(memory)
  memory.release()
  expect(memory.uses).toBe(1)
})
