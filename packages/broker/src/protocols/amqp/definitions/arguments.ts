import { AmqpError } from '../amqp-error.ts'
import { type FieldTable, FieldTable as Table, type FieldValue, TypedValue } from '../codec/field-table.ts'

/** An argument as JSON keeps it. Whole numbers beyond 2^53 are text. */
export type ArgumentJson = string | number | boolean | null | readonly ArgumentJson[] | { readonly [name: string]: ArgumentJson }
export type ArgumentsJson = Readonly<Record<string, ArgumentJson>>

/** The arguments of a declaration: asked for by name, checked, and kept as JSON. */
export class Arguments {
  readonly json: ArgumentsJson
  readonly #what: string

  /** @param what they are of, as `queue 'q' in vhost '/'` */
  constructor(given: FieldTable | ArgumentsJson, what: string) {
    this.json = given instanceof Table ? tableJson(given) : given
    this.#what = what
  }

  has(name: string): boolean {
    return Object.hasOwn(this.json, name)
  }

  text(name: string): string | undefined {
    const value = this.json[name]
    if (value === undefined || typeof value === 'string') return value
    throw this.refused(name, 'it must be text')
  }

  flag(name: string): boolean | undefined {
    const value = this.json[name]
    if (value === undefined || typeof value === 'boolean') return value
    throw this.refused(name, 'it must be true or false')
  }

  /** A whole number. */
  count(name: string, min: number, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.json[name]
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.refused(name, 'it must be a whole number')
    if (value < min) throw this.refused(name, `${value} is less than ${min}`)
    if (value > max) throw this.refused(name, `${value} is more than ${max}`)
    return value
  }

  choice<T extends string>(name: string, of: readonly T[]): T | undefined {
    const value = this.text(name)
    if (value === undefined || of.includes(value as T)) return value as T | undefined
    throw this.refused(name, `'${value}' is none of ${of.join(', ')}`)
  }

  refused(name: string, why: string): AmqpError {
    return new AmqpError('precondition-failed', `invalid arg '${name}' for ${this.#what}: ${why}`)
  }
}

export function tableJson(table: FieldTable): ArgumentsJson {
  const json: Record<string, ArgumentJson> = {}
  for (let n = 0; n < table.size; n++) {
    const name = table.names[n]!
    // Of those that come twice the first counts.
    if (!Object.hasOwn(json, name)) Object.defineProperty(json, name, { ...PLAIN, value: valueJson(table.values[n]!) })
  }
  return json
}

/** A name may be `__proto__`. */
const PLAIN: PropertyDescriptor = { enumerable: true, configurable: true, writable: true }

function valueJson(value: FieldValue): ArgumentJson {
  if (value instanceof TypedValue) return scalarJson(value.value)
  if (value instanceof Table) return tableJson(value)
  if (value instanceof Uint8Array) return scalarJson(value)
  if (Array.isArray(value)) return (value as readonly FieldValue[]).map(valueJson)
  return value as string | number | boolean | null
}

function scalarJson(value: number | bigint | boolean | Uint8Array): ArgumentJson {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return latin1(value)
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}
