import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../base/errors.ts'
import { check } from './json-schema.ts'
import { operations } from './operations.ts'
import { queueSpec, subscriptionSpec, topicSpec } from './definition-schemas.ts'
import { startPosition } from './schemas.ts'

describe('checking JSON', () => {
  it('lets through what fits', () => {
    const spec = { name: 't', partitions: 3, retention: { ms: 5 }, cleanup: 'compact' }
    expect(check(topicSpec, spec, 'x')).toBe(spec)
    for (const from of ['earliest', 'latest', { offset: 0 }, { timestampMs: 9 }])
      expect(check(startPosition, from, 'x')).toBe(from)
    expect(check(subscriptionSpec, { topic: 't', name: 's', from: undefined }, 'x')).toBeDefined()
  })

  it.each([
    [{}, 'In x: `name` is missing.'],
    [{ name: 5 }, 'In x: `name` must be a string.'],
    [{ name: '' }, 'In x: `name` must not be empty.'],
    [{ name: 'n'.repeat(256) }, 'In x: `name` is longer than 255 characters.'],
    [{ name: 't', partitions: 0 }, 'In x: `partitions` must be at least 1.'],
    [{ name: 't', partitions: 1.5 }, 'In x: `partitions` must be an integer.'],
    [{ name: 't', partition: 1 }, 'In x: `partition` is not a known property (did you mean `partitions`?).'],
    [
      { name: 't', colour: 1 },
      'In x: `colour` is not a known property (known are `name`, `partitions`, `retention`, `cleanup`, `batchBytesMax`, `dedup`, `labels`).',
    ],
    [
      { name: 't', retention: { days: 1 } },
      'In x: `retention.days` is not a known property (known are `ms`, `bytes`, `records`).',
    ],
    [{ name: 't', retention: [] }, 'In x: `retention` must be an object.'],
    [{ name: 't', cleanup: 'shred' }, "In x: `cleanup` must be 'delete' or 'compact' or 'compact,delete'."],
    [null, 'In x: the value must be an object with `name`.'],
    [
      JSON.parse('{"name":"t","__proto__":{}}'),
      'In x: `__proto__` is not a known property (known are `name`, `partitions`, `retention`, `cleanup`, `batchBytesMax`, `dedup`, `labels`).',
    ],
  ])('names the mistake in %j', (value, message) => {
    expect(() => check(topicSpec, value, 'x')).toThrow(message)
  })

  it('says what it expects where there are several shapes', () => {
    expect(() => check(startPosition, 'first', 'x')).toThrow(
      "must be 'earliest' or 'latest' or an object with `offset` or an object with `timestampMs`",
    )
    expect(() => check(queueSpec, { name: 'q', delivery: { leaseMs: 0 } }, 'x')).toThrow('`delivery.leaseMs` must be at least 1')
  })

  it('answers any JSON with the value or `bad_request`', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(operations)), fc.jsonValue(), (operation, value) => {
        try {
          expect(check(operation.params as Parameters<typeof check>[0], value, 'x')).toBe(value)
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError)
          expect((error as MillraceError).code).toBe('bad_request')
        }
      }),
    )
  })
})
