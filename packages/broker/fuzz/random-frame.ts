import { frameSchemas } from '@millrace/wire'
import type { FieldTypes, Frame, FrameName } from '@millrace/wire'
import type { FuzzRandom } from './fuzz.ts'

/** A frame that its schema allows, with values that stretch it. */
export function randomFrame(random: FuzzRandom, name: FrameName): Frame {
  const fields: Readonly<Record<string, keyof FieldTypes>> = frameSchemas[name].fields
  const body = Object.fromEntries(Object.entries(fields).map(([field, kind]) => [field, randomField(random, kind)]))
  return { name, ...body } as unknown as Frame
}

function randomField(random: FuzzRandom, kind: keyof FieldTypes): FieldTypes[keyof FieldTypes] {
  switch (kind) {
    case 'u8':
      return random.between(0, 255)
    case 'u32':
      return random.pick([0, 1, 7, 0xffffffff, random.between(0, 0xffffffff)])
    case 'i32':
      return random.pick([-1, 0, 1, -0x80000000, 0x7fffffff])
    case 'u64':
    case 'offset':
      return random.pick([0, 1, 0xffffffff, 2 ** 32, Number.MAX_SAFE_INTEGER])
    case 'string':
      return random.pick(['', 'queue:mail', 'topic:events/audit', '\u0000', 'ä'.repeat(random.between(0, 50))])
    case 'json':
      return random.pick([{}, { code: 'x', message: 'y' }, { a: [1, { b: null }] }])
    case 'restJson':
      return random.pick([undefined, {}, { reason: 'why' }])
    case 'offsets':
      return Array.from({ length: random.between(0, 5) }, () => random.pick([NaN, 0, 2 ** 40]))
    case 'ranges':
      return Array.from({ length: random.between(0, 5) }, () => {
        const first = random.between(0, 1000)
        return { partition: random.between(0, 9), first, last: first + random.between(0, 9), attempt: random.between(0, 3) }
      })
    case 'places':
      return Array.from({ length: random.between(0, 5) }, (_, position) => ({
        position,
        partition: random.between(0, 9),
        offset: random.pick([-1, 0, 2 ** 40]),
      }))
    case 'rest':
      return random.bytes(random.between(0, 100))
    default:
      throw new TypeError(`no such field kind: ${String(kind satisfies never)}`)
  }
}
