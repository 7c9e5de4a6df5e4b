import { expect, test } from 'vitest'
import { PRIORITY_MAX, priorityHeader, priorityOf, readPriority } from './priority.ts'
import { encodeText } from './text.ts'

test('every priority comes back from its header', () => {
  for (let priority = 0; priority <= PRIORITY_MAX; priority++) expect(priorityOf([priorityHeader(priority)])).toBe(priority)
  expect(priorityHeader(7)).toEqual({ key: 'priority', value: encodeText('7') })
})

test('what is no whole number from 0 to 255 is no priority', () => {
  for (const text of ['', '256', '999', '1000', '0255', '-1', '+1', '1.0', '1e1', ' 1', '1 ', 'high', '٣'])
    expect(readPriority(encodeText(text))).toBeUndefined()
  expect(['0', '00', '007', '255'].map((text) => readPriority(encodeText(text)))).toEqual([0, 0, 7, 255])
  expect(readPriority(encodeText('x12y'), 1, 2)).toBe(12)
})

test('of several headers the last counts, and one without a value is none', () => {
  expect(priorityOf([])).toBeUndefined()
  expect(priorityOf([priorityHeader(3), { key: 'Priority', value: encodeText('9') }, priorityHeader(5)])).toBe(5)
  expect(priorityOf([priorityHeader(3), { key: 'priority', value: null }])).toBeUndefined()
})
