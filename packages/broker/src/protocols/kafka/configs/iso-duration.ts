const DURATION = /^P(?:(\d{1,6})D)?(?:T(?=\d)(?:(\d{1,8})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$/i

/** Milliseconds of a duration as ISO 8601 has it, in days, hours, minutes and seconds; undefined for what is none. */
export function durationMs(text: string): number | undefined {
  const parts = DURATION.exec(text)?.slice(1)
  if (parts === undefined || parts.every((part) => part === undefined)) return undefined
  const [days, hours, minutes, seconds] = parts.map((part) => Number(part ?? 0))
  return Math.round((((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1000)
}
