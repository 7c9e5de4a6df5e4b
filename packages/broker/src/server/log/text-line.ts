import { createColors } from 'picocolors'

/** Turns one JSON log line into a line for people: `12:30:01.123 WARN  message  key=value`. Multi-line values go below it. */
export function textLine(line: string, colors: boolean): string {
  const { time, level, message, pid: _pid, event, error, ...details } = JSON.parse(line) as LogLine
  const paint = createColors(colors)
  const clock = (time ?? '').slice(11, 23)
  const label = (level ?? '').toUpperCase().padEnd(5)
  const shade = level === 'error' ? paint.red : level === 'warn' ? paint.yellow : level === 'debug' ? paint.gray : paint.green
  const fields = Object.entries({ ...details, event })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)}`)
  const trace = error?.stack === undefined ? '' : `\n${paint.gray(indent(error.stack))}`
  return `${paint.gray(clock)} ${shade(label)} ${message ?? ''}  ${paint.gray(fields.join(' '))}${trace}\n`
}

interface LogLine {
  readonly time?: string
  readonly level?: string
  readonly message?: string
  readonly pid?: number
  readonly event?: string
  readonly error?: { readonly stack?: string }
  readonly [key: string]: unknown
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line.trim()}`)
    .join('\n')
}
