import { expect, test } from 'vitest'
import { formatBytes, formatCount, formatDuration, formatMegabytes, formatMilliseconds } from './figures.ts'

test('figures as people read them', () => {
  expect([0, 1023, 1024, 10 * 1024, 5 * 2 ** 30].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 KiB', '10 KiB', '5.0 GiB'])
  expect([950, 119_000, 3_600_000, 86_400_000, 7 * 86_400_000].map(formatDuration)).toEqual(['950ms', '119s', '60m', '24h', '7d'])
  expect([0.123, 12.34, 1234].map(formatMilliseconds)).toEqual(['0.12 ms', '12.3 ms', '1,234 ms'])
  expect([formatCount(1234567), formatMegabytes(1_500_000), formatMegabytes(412e6)]).toEqual(['1,234,567', '1.5 MB', '412 MB'])
})
