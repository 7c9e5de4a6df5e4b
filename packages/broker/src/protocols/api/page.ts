import type { ListParams } from './schemas.ts'

/** One page of a list, sorted by name. */
export function page<T>(
  all: readonly T[],
  nameOf: (entry: T) => string,
  params: ListParams,
): { readonly items: T[]; readonly next?: string } {
  const { prefix = '', after = '', limit = 1000 } = params
  const names = new Map<string, T>()
  for (const entry of all) {
    const name = nameOf(entry)
    if (name > after && name.startsWith(prefix)) names.set(name, entry)
  }
  const sorted = [...names.keys()].toSorted()
  const items = sorted.slice(0, limit).map((name) => names.get(name)!)
  return sorted.length > limit ? { items, next: sorted[limit - 1]! } : { items }
}
