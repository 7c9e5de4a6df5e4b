/**
 * The part of JSON Schema (2020-12) that the API needs, as plain data: a schema goes into the OpenAPI document as it is,
 * its TypeScript type is inferred from it, and `check` validates against it with messages for people. A library would
 * cost more time at start than the rest of the broker together.
 */
import { unreachable } from '../../base/assert.ts'
import { editDistance } from '../../base/edit-distance.ts'
import { MillraceError } from '../../base/errors.ts'

export type JsonSchema =
  | {
      readonly type: 'string'
      readonly description?: string
      readonly minLength?: number
      readonly maxLength?: number
      readonly enum?: readonly string[]
    }
  | { readonly type: 'integer' | 'number'; readonly description?: string; readonly minimum?: number; readonly maximum?: number }
  | { readonly type: 'boolean'; readonly description?: string }
  | { readonly type: 'null'; readonly description?: string }
  | { readonly type: 'array'; readonly description?: string; readonly items: JsonSchema; readonly maxItems?: number }
  | ObjectSchema
  | { readonly anyOf: readonly JsonSchema[]; readonly description?: string }
  | AnySchema

/** Any JSON value. */
interface AnySchema {
  readonly type?: undefined
  readonly anyOf?: undefined
  readonly description?: string
}

export interface ObjectSchema {
  readonly type: 'object'
  readonly description?: string
  readonly properties: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  /** `false` refuses unknown properties; a schema makes it a dictionary. */
  readonly additionalProperties: false | JsonSchema
}

declare const TYPE: unique symbol

/** A schema that carries the TypeScript type of what it accepts. */
export type Typed<T, S extends JsonSchema = JsonSchema> = S & { readonly [TYPE]: T }

/** Gives a schema its inferred type; assign the result to a `Typed<T>` to have the compiler compare the two. */
export function typed<const S extends JsonSchema>(schema: S): Typed<Infer<S>, S> {
  return schema as Typed<Infer<S>, S>
}

/** The TypeScript type of what a schema accepts. */
export type Infer<S> = S extends { readonly [TYPE]: infer T }
  ? T
  : S extends { readonly type: 'string'; readonly enum: readonly (infer E)[] }
    ? E
    : S extends { readonly type: 'string' }
      ? string
      : S extends { readonly type: 'integer' | 'number' }
        ? number
        : S extends { readonly type: 'boolean' }
          ? boolean
          : S extends { readonly type: 'null' }
            ? null
            : S extends { readonly type: 'array'; readonly items: infer I }
              ? readonly Infer<I>[]
              : S extends { readonly type: 'object' }
                ? InferObject<S>
                : S extends { readonly anyOf: readonly (infer A)[] }
                  ? A extends unknown
                    ? Infer<A>
                    : never
                  : unknown

type InferObject<S> = S extends {
  readonly properties: infer P
  readonly required?: infer R
  readonly additionalProperties: infer D
}
  ? { readonly [K in keyof P as K extends Named<R> ? K : never]: Infer<P[K]> } & {
      readonly [K in keyof P as K extends Named<R> ? never : K]?: Infer<P[K]>
    } & (D extends false ? unknown : { readonly [name: string]: Infer<D> })
  : never

type Named<R> = R extends readonly (infer N)[] ? N : never

const DEPTH_MAX = 32

/**
 * Returns `value` if it fits the schema.
 * @param what for the message: `the parameters of queue.create`
 * @throws MillraceError `bad_request` that names the place and, for a misspelt property, the right one
 */
export function check<T>(schema: Typed<T>, value: unknown, what: string): T {
  const problem = problemOf(schema, value, '', 0)
  if (problem !== undefined) throw new MillraceError('bad_request', `In ${what}: ${problem}.`)
  return value as T
}

function problemOf(schema: JsonSchema, value: unknown, at: string, depth: number): string | undefined {
  if (depth > DEPTH_MAX) return `${place(at)} is nested too deeply`
  if ('anyOf' in schema && schema.anyOf !== undefined) {
    if (schema.anyOf.some((option) => problemOf(option, value, at, depth + 1) === undefined)) return undefined
    return `${place(at)} must be ${schema.anyOf.map(expectation).join(' or ')}`
  }
  if (!('type' in schema) || schema.type === undefined) return undefined
  switch (schema.type) {
    case 'string':
      if (typeof value !== 'string') return wrongType(schema, at)
      if (schema.enum !== undefined && !schema.enum.includes(value)) return wrongType(schema, at)
      if (value.length < (schema.minLength ?? 0)) return `${place(at)} must not be empty`
      if (value.length > (schema.maxLength ?? Infinity)) return `${place(at)} is longer than ${schema.maxLength} characters`
      return undefined
    case 'integer':
    case 'number':
      if (typeof value !== 'number' || (schema.type === 'integer' && !Number.isSafeInteger(value))) return wrongType(schema, at)
      if (value < (schema.minimum ?? -Infinity)) return `${place(at)} must be at least ${schema.minimum}`
      if (value > (schema.maximum ?? Infinity)) return `${place(at)} must be at most ${schema.maximum}`
      return undefined
    case 'boolean':
      return typeof value === 'boolean' ? undefined : wrongType(schema, at)
    case 'null':
      return value === null ? undefined : wrongType(schema, at)
    case 'array':
      if (!Array.isArray(value)) return wrongType(schema, at)
      if (value.length > (schema.maxItems ?? Infinity)) return `${place(at)} has more than ${schema.maxItems} entries`
      for (let n = 0; n < value.length; n++) {
        const problem = problemOf(schema.items, value[n], `${at}[${n}]`, depth + 1)
        if (problem !== undefined) return problem
      }
      return undefined
    case 'object':
      return objectProblem(schema, value, at, depth)
    default:
      return unreachable(schema)
  }
}

function objectProblem(schema: ObjectSchema, value: unknown, at: string, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrongType(schema, at)
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) return `${place(join(at, name))} is missing`
  }
  for (const [name, entry] of Object.entries(value)) {
    const known = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    const property = known ?? schema.additionalProperties
    if (property === false) return unknownProperty(schema, at, name)
    // Absent and undefined are the same thing: callers in this process may pass either.
    if (entry === undefined && !(schema.required ?? []).includes(name)) continue
    const problem = problemOf(property, entry, join(at, name), depth + 1)
    if (problem !== undefined) return problem
  }
  return undefined
}

function unknownProperty(schema: ObjectSchema, at: string, name: string): string {
  const known = Object.keys(schema.properties)
  const near = known.find((candidate) => editDistance(comparable(candidate), comparable(name)) <= 2)
  const hint = near !== undefined ? `did you mean \`${near}\`?` : `known are ${known.map((n) => `\`${n}\``).join(', ') || 'none'}`
  return `\`${join(at, name).slice(0, 100)}\` is not a known property (${hint})`
}

function wrongType(schema: JsonSchema, at: string): string {
  return `${place(at)} must be ${expectation(schema)}`
}

function expectation(schema: JsonSchema): string {
  if ('anyOf' in schema && schema.anyOf !== undefined) return schema.anyOf.map(expectation).join(' or ')
  if (schema.type === 'string' && schema.enum !== undefined) return schema.enum.map((entry) => `'${entry}'`).join(' or ')
  if (schema.type === 'object' && schema.required?.length === 1) return `an object with \`${schema.required[0]}\``
  if (schema.type === undefined) return 'any value'
  return schema.type === 'null' ? 'null' : /^[aio]/.test(schema.type) ? `an ${schema.type}` : `a ${schema.type}`
}

function place(at: string): string {
  return at === '' ? 'the value' : `\`${at}\``
}

function join(at: string, name: string): string {
  return at === '' ? name : `${at}.${name}`
}

/** Only so much is compared: names come from outside. */
function comparable(name: string): string {
  return name.toLowerCase().slice(0, 32)
}
