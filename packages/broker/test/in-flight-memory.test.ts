import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const script = fileURLToPath(new URL('core/in-flight.mjs', import.meta.url))

/** Bytes for each message, measured in a process of its own. */
function bytesEach(way: string, messages: number): number {
  const output = execFileSync(process.execPath, ['--expose-gc', script, way, String(messages)], { encoding: 'utf8' })
  return (JSON.parse(output) as { bytesEach: number }).bytesEach
}

test('a message that is ready takes no memory', { timeout: 60_000 }, () => {
  expect(bytesEach('ready', 300_000)).toBeLessThan(1)
})

test.each([
  ['held', 50],
  ['scattered', 200],
  ['keys', 200],
  ['retries', 150],
  ['retries-keys', 200],
  // Not in flight, but kept as ranges too. Tables that have just grown are half empty: then it takes up to 230.
  ['waiting', 250],
  // Its range and its place in the order of its key.
  ['scattered-keys', 250],
])('a message in flight takes little: %s, less than %i bytes', { timeout: 60_000 }, (way, bytesMax) => {
  expect(bytesEach(way, 300_000)).toBeLessThan(bytesMax)
})
