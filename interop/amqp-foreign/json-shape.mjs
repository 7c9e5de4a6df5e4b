/** Objects whose keys are the user's, not the API's. */
const OPEN = new Set([
  'arguments',
  'client_properties',
  'cluster_state',
  'definition',
  'effective_policy_definition',
  'value',
  'limits',
])

/**
 * Path of each field to the types that it has there; what is in a list is all one.
 * @param {unknown} value JSON
 * @returns {Map<string, Set<string>>} such as `[].message_stats.publish` to `number`
 */
export function shapeOf(value, path = '', key = '', shape = new Map()) {
  const type = value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value
  shape.set(path, (shape.get(path) ?? new Set()).add(type))
  if (type === 'list') for (const item of value) shapeOf(item, `${path}[]`, key, shape)
  else if (type === 'object' && !OPEN.has(key))
    for (const [name, item] of Object.entries(value)) shapeOf(item, path === '' ? name : `${path}.${name}`, name, shape)
  return shape
}

/** What `expected` has and `actual` has not: fields that are missing, or never of a type that they have there. */
export function missingFrom(actual, expected) {
  const [has, wants] = [shapeOf(actual), shapeOf(expected)]
  return [...wants].flatMap(([path, types]) => {
    const found = has.get(path)
    // Below something that is missing all is.
    if (found === undefined) return isBelowMissing(path, has) ? [] : [path]
    return types.has('null') || found.has('null') || [...types].some((type) => found.has(type))
      ? []
      : [`${path} (${[...found].join()})`]
  })
}

function isBelowMissing(path, has) {
  const parent = path.replace(/(\[\]|\.?[^.[\]]+)$/, '')
  return parent !== '' && parent !== path && !has.has(parent)
}
