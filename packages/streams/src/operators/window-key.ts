import type { Window } from '../windows.ts'

export interface WindowKey extends Window {
  readonly key: string
}

/** `START:END:KEY`: how state of a window is named in stores and changelogs. */
export function windowKey(startMs: number, endMs: number, key: string): string {
  return `${startMs}:${endMs}:${key}`
}

export function parseWindowKey(text: string): WindowKey {
  const first = text.indexOf(':')
  const second = text.indexOf(':', first + 1)
  return { startMs: Number(text.slice(0, first)), endMs: Number(text.slice(first + 1, second)), key: text.slice(second + 1) }
}
