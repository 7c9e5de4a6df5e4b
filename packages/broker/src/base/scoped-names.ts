/**
 * Virtual hosts in names of the core: those of the default virtual host are bare, others are `VHOST::NAME`. A bare name that has `::` in it is written
 * `::NAME`, so that a name is split at the first `::`.
 */

export const DEFAULT_VHOST = '/'

const SEPARATOR = '::'
const NAME_BYTES_MAX = 255

export interface ScopedName {
  readonly vhost: string
  readonly name: string
}

/** @param vhost one for which `isVhostName` @returns the name in the core of what is called `name` there */
export function scopedName(vhost: string, name: string): string {
  if (vhost !== DEFAULT_VHOST) return vhost + SEPARATOR + name
  return name.includes(SEPARATOR) ? SEPARATOR + name : name
}

/** The way back. */
export function splitScopedName(scoped: string): ScopedName {
  const at = scoped.indexOf(SEPARATOR)
  if (at === -1) return { vhost: DEFAULT_VHOST, name: scoped }
  return { vhost: at === 0 ? DEFAULT_VHOST : scoped.slice(0, at), name: scoped.slice(at + SEPARATOR.length) }
}

/** What all names of a virtual host begin with; undefined for the default one, whose names have no such mark. */
export function scopePrefix(vhost: string): string | undefined {
  return vhost === DEFAULT_VHOST ? undefined : vhost + SEPARATOR
}

/** 1 to 255 bytes without control characters, and nothing that could be taken for the end of the name. */
export function isVhostName(text: string): boolean {
  if (text === '' || text.includes(SEPARATOR) || text.endsWith(':')) return false
  return !/\p{Cc}/u.test(text) && new TextEncoder().encode(text).length <= NAME_BYTES_MAX
}
