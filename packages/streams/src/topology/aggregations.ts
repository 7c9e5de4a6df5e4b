import type { MergingAggregation, RecordInfo } from '../api.ts'

export const counting: MergingAggregation<unknown, number> = {
  initial: () => 0,
  add: (count) => count + 1,
  merge: (first, second) => first + second,
}

/** What an aggregate is before its first value: no state is ever this. */
const nothing = Symbol('nothing')

export function reducing<V>(combine: (before: V, value: V, record: RecordInfo) => V): MergingAggregation<V, V> {
  return {
    initial: () => nothing as V,
    add: (before, value, record) => (before === nothing ? value : combine(before, value, record)),
    merge: combine,
  }
}
