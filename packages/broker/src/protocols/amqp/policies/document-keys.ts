/** Keys of documents that belong to a virtual host: a JSON array of its name and what tells them apart there. */
export function documentKey(vhost: string, ...names: readonly string[]): string {
  return JSON.stringify([vhost, ...names])
}

export function keyParts(key: string): readonly string[] {
  return JSON.parse(key) as readonly string[]
}

export function keyVhost(key: string): string {
  return keyParts(key)[0]!
}
