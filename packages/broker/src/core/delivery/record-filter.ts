import type { RecordCursor } from '@millrace/wire'
import { RecordProperties } from '../selectors/record-properties.ts'
import type { SelectorCache } from '../selectors/selector-cache.ts'

/** Whether a subscription's selector matches a record. */
export function recordFilter(selectors: SelectorCache, text: string): (record: RecordCursor) => boolean {
  const selector = selectors.compile(text)
  const properties = new RecordProperties()
  return (record) => selector.matches(properties.show(record))
}
