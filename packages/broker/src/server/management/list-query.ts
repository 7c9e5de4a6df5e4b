import { compileRegularExpression, escapeForPattern } from '../../base/regular-expression/regular-expression.ts'
import { badRequest, PageOutOfRange } from './failures.ts'

const PAGE_SIZE = 100
const PAGE_SIZE_MAX = 500

type Item = object

/** A list as it is asked for: sorted, of some names, a page of it, with some columns. Without `page` it is all of it. @throws MillraceError `bad_request` */
export function listed(items: readonly Item[], search: URLSearchParams): unknown {
  const found = sorted(named(items, search), search)
  const columns = columnsOf(search)
  const page = count(search, 'page', Number.MAX_SAFE_INTEGER)
  if (page === undefined) return found.map((item) => withColumns(item, columns))
  const pageSize = count(search, 'page_size', PAGE_SIZE_MAX) ?? PAGE_SIZE
  const pageCount = Math.max(Math.ceil(found.length / pageSize), 1)
  if (page > pageCount) throw outOfRange(page, pageSize, found.length)
  const shown = found.slice((page - 1) * pageSize, page * pageSize)
  return {
    filtered_count: found.length,
    item_count: shown.length,
    items: shown.map((item) => withColumns(item, columns)),
    page,
    page_count: pageCount,
    page_size: pageSize,
    total_count: items.length,
  }
}

/** `columns=name,message_stats.publish`; undefined for all. */
export function columnsOf(search: URLSearchParams): readonly (readonly string[])[] | undefined {
  const columns = search.get('columns')
  return columns === null || columns === '' ? undefined : columns.split(',').map((column) => column.split('.'))
}

export function withColumns(item: Item, columns: readonly (readonly string[])[] | undefined): Item {
  if (columns === undefined) return item
  const result: Record<string, unknown> = {}
  for (const path of columns) {
    const value = valueAt(item, path)
    if (value !== undefined) place(result, path, value)
  }
  return result
}

function place(target: Record<string, unknown>, [first, ...rest]: readonly string[], value: unknown): void {
  if (first === undefined) return
  if (rest.length === 0) target[first] = value
  else place((target[first] ??= {}) as Record<string, unknown>, rest, value)
}

function valueAt(item: unknown, path: readonly string[]): unknown {
  let value = item
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[name]
  }
  return value
}

function named(items: readonly Item[], search: URLSearchParams): readonly Item[] {
  const name = search.get('name')
  if (name === null || name === '') return items
  const isPattern = search.get('use_regex') === 'true'
  const isIn = compileRegularExpression(`(?i)${isPattern ? name : escapeForPattern(name)}`)
  return items.filter((item) => isIn(textOf(valueAt(item, ['name']))))
}

function sorted(items: readonly Item[], search: URLSearchParams): readonly Item[] {
  const sort = search.get('sort')
  if (sort === null || sort === '') return items
  const path = sort.split('.')
  const sign = search.get('sort_reverse') === 'true' ? -1 : 1
  const keyed = items.map((item) => ({ item, key: valueAt(item, path) }))
  return keyed.toSorted((a, b) => sign * compare(a.key, b.key)).map(({ item }) => item)
}

/** What has nothing there comes first. */
function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [x, y] = [textOf(a), textOf(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value)
}

/** @throws MillraceError `bad_request` */
function count(search: URLSearchParams, name: string, max: number): number | undefined {
  const text = search.get(name)
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value
  throw badRequest(`${name} is a whole number from 1 to ${max}`)
}

function outOfRange(page: number, pageSize: number, length: number): PageOutOfRange {
  return new PageOutOfRange(`Page out of range, page: ${page} page size: ${pageSize}, len: ${length}`)
}
