import { expect, test } from 'vitest'
import { destinationResource } from './destination-resource.ts'

test.each([
  ['queue:q', 'queue:q'],
  ['topic:t', 'topic:t'],
  ['exchange:x', 'exchange:x'],
  ['exchange:x/a/b', 'exchange:x'],
  ['exchange:a%2Fb%25/k', 'exchange:a/b%'],
  ['exchange:/some queue', 'queue:some queue'],
  ['exchange:', 'exchange:'],
])('publishing to %s asks for %s', (address, resource) => {
  expect(destinationResource(address)).toBe(resource)
})
