import type { Figure } from './figure.ts'
import type { RawDisk } from './raw-disk.ts'

/** What a file takes without a broker. */
export function diskFigures({ prefilledBytesPerSecond, growingBytesPerSecond }: RawDisk): readonly Figure[] {
  return [...throughputFigures('prefilled', prefilledBytesPerSecond), ...throughputFigures('growing', growingBytesPerSecond)]
}

function throughputFigures(kind: string, rates: Readonly<Record<string, number>>): readonly Figure[] {
  return Object.entries(rates).map(([chunk, rate]) => ({
    name: `raw write + fdatasync, ${kind} file, ${Number(chunk) / 1024} KiB`,
    value: rate / 1e6,
    unit: 'MB/s',
  }))
}
