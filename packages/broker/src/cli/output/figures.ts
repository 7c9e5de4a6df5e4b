// Figures as people read them.

/** 1234567 -> 1,234,567. (Loading Intl for it takes longer than many a command.) */
export function formatCount(count: number): string {
  return count.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** Binary units, as memory and files are counted. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]!}`
}

/** Decimal megabytes, as disks and networks are rated. */
export function formatMegabytes(bytes: number): string {
  const megabytes = bytes / 1e6
  return `${megabytes < 10 ? megabytes.toFixed(1) : formatCount(megabytes)} MB`
}

export function formatMilliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : formatCount(ms)} ms`
}

/** A span of time in its largest sensible unit: `250ms`, `42s`, `3m`, `5h`, `7d`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`
  if (ms < 120_000) return `${Math.round(ms / 1000)}s`
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)}m`
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)}h`
  return `${Math.round(ms / 86_400_000)}d`
}

/** `2026-01-31 12:00:00.000Z` */
export function formatTime(timestampMs: number): string {
  return new Date(timestampMs).toISOString().replace('T', ' ')
}
