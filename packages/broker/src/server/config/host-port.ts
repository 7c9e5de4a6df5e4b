/** `HOST:PORT`, `[IPV6]:PORT`, or a port alone; undefined for anything else. */
export function parseHostPort(text: string): { readonly host: string | undefined; readonly port: number } | undefined {
  const match = /^(?:(?:\[([0-9a-fA-F:.%a-z]+)\]|([^[\]:\s]+)):)?(\d{1,5})$/.exec(text.trim())
  const port = Number(match?.[3])
  return match === null || port > 65_535 ? undefined : { host: match[1] ?? match[2], port }
}
