import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Confirms, type ConfirmWriter } from './confirms.ts'

class Told implements ConfirmWriter {
  readonly frames: string[] = []
  /** Outcome by tag. */
  readonly outcomes: ('ack' | 'nack')[] = []

  ack(tag: number, multiple: boolean): void {
    this.#tell('ack', tag, multiple)
  }

  nack(tag: number, multiple: boolean): void {
    this.#tell('nack', tag, multiple)
  }

  #tell(outcome: 'ack' | 'nack', tag: number, multiple: boolean): void {
    this.frames.push(`${outcome} ${tag}${multiple ? ' multiple' : ''}`)
    if (!multiple && tag !== this.outcomes.length + 1) throw new Error(`${tag} alone leaves others untold`)
    while (this.outcomes.length < tag) this.outcomes.push(outcome)
  }
}

test('what one commit made durable is told by one frame', () => {
  const confirms = new Confirms()
  const told = new Told()
  confirms.published(1, 2)
  confirms.published(2, 3)
  confirms.published(3, 1)
  confirms.tell(2, told)
  expect(told.frames).toEqual(['ack 5 multiple'])
  expect([confirms.open, confirms.waiting]).toEqual([1, true])
  confirms.tell(3, told)
  expect(told.frames).toEqual(['ack 5 multiple', 'ack 6'])
  expect([confirms.open, confirms.waiting]).toEqual([0, false])
})

test('refusals and what nothing takes wait for what came before them', () => {
  const confirms = new Confirms()
  const told = new Told()
  confirms.published(4, 1)
  confirms.refused(1)
  confirms.settled(1)
  confirms.tell(3, told)
  expect(told.frames).toEqual([])
  confirms.tell(4, told)
  expect(told.frames).toEqual(['ack 1', 'nack 2', 'ack 3'])
})

test('every publish is told once, with its outcome, and no sooner than it is durable', () => {
  const step = fc.record({
    kind: fc.constantFrom('published', 'refused', 'settled', 'tell'),
    count: fc.integer({ min: 1, max: 5 }),
    commits: fc.integer({ min: 0, max: 2 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const confirms = new Confirms()
      const told = new Told()
      const model: { readonly outcome: 'ack' | 'nack'; readonly ticket: number }[] = []
      let open = 1
      let ticket = 0
      const durable = (committed: number): number => model.filter((each) => each.ticket <= committed).length
      for (const { kind, count, commits } of steps) {
        if (kind === 'published') {
          open += commits
          ticket = open
          confirms.published(ticket, count)
        } else if (kind === 'refused') confirms.refused(count)
        else if (kind === 'settled') confirms.settled(count)
        else {
          confirms.tell(open - commits, told)
          expect(told.outcomes).toHaveLength(Math.max(durable(open - commits), confirms.told))
          continue
        }
        for (let n = 0; n < count; n++) model.push({ outcome: kind === 'refused' ? 'nack' : 'ack', ticket })
      }
      confirms.tell(open, told)
      expect(told.outcomes).toEqual(model.map(({ outcome }) => outcome))
      expect([confirms.open, confirms.waiting]).toEqual([0, false])
    }),
  )
})
