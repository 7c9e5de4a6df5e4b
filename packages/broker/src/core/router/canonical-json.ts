/** JSON with the members of objects in order of their names: what means the same is the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (isObject(part) ? sorted(part) : part))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Without a prototype, so that a member called `__proto__` is one like any other. */
function sorted(value: Readonly<Record<string, unknown>>): object {
  const copy = Object.create(null) as Record<string, unknown>
  for (const name of Object.keys(value).toSorted()) copy[name] = value[name]
  return copy
}
