/**
 * How messages are written down. A message is an object of fields in the order of the wire; a field is text, or for structures a pair of
 * text and their fields:
 *
 *     TYPE[?] [VERSIONS] [tag N] [= DEFAULT]
 *
 * TYPE: bool int8 int16 uint16 int32 int64 float64 string uuid bytes records, `[]TYPE` for arrays of them, `struct` and `[]` for
 * structures; `?` where null is allowed. VERSIONS: `3+`, `0-12`, `4`; without it all. `tag N`: a tagged field. Without a default, and in
 * versions that do not have it, a field is zero, empty, false or null.
 */

import { unreachable } from '../../../base/assert.ts'

export interface FieldTypes {
  bool: boolean
  int8: number
  int16: number
  uint16: number
  int32: number
  /** Exact up to 2^53. */
  int64: number
  float64: number
  string: string
  /** 32 hexadecimal digits. */
  uuid: string
  /** A copy. */
  bytes: Uint8Array
  /** Record batches: a view of the request. What is sent may be in pieces. */
  records: Uint8Array
}

export type FieldType = keyof FieldTypes

export type Notation = string | readonly [string, Fields]

export interface Fields {
  readonly [name: string]: Notation
}

/** One API: both messages, in all versions that are known. */
export interface ApiDefinition {
  readonly key: number
  /** `4-18`: those that are served. */
  readonly versions: string
  /** First version with compact lengths and tagged fields; absent when there is none. */
  readonly flexible?: number
  readonly request: Fields
  readonly response: Fields
}

// ---- types ----------------------------------------------------------------------------------------------------------

type Head<S extends string> = S extends `${infer First} ${string}` ? First : S

type Scalar<T extends string> = T extends FieldType ? FieldTypes[T] : never

type Value<T extends string> = T extends `${infer Bare}?`
  ? Value<Bare> | null
  : T extends `[]${infer Element}`
    ? readonly Scalar<Element>[]
    : Scalar<T>

type StructValue<T extends string, Inner> = T extends `${infer Bare}?`
  ? StructValue<Bare, Inner> | null
  : T extends '[]'
    ? readonly Inner[]
    : Inner

/** A message as it is read: every field has a value. */
export type Decoded<F> = {
  readonly [N in keyof F]: F[N] extends string
    ? Value<Head<F[N]>>
    : F[N] extends readonly [infer S extends string, infer Inner]
      ? StructValue<Head<S>, Decoded<Inner>>
      : never
}

type Sent<T extends string> = Head<T> extends 'records?' ? Uint8Array | readonly Uint8Array[] | null : Value<Head<T>>

type EncodableField<N> = N extends string
  ? Sent<N>
  : N extends readonly [infer S extends string, infer Inner]
    ? StructValue<Head<S>, Encodable<Inner>>
    : never

/** Fields that not all versions have, or that have a default, may be left out. */
type Optional<F> = {
  [N in keyof F]: F[N] extends `${string} ${string}` | readonly [`${string} ${string}`, unknown] ? N : never
}[keyof F]

/** A message to be written. */
export type Encodable<F> = { readonly [N in Exclude<keyof F, Optional<F>>]: EncodableField<F[N]> } & {
  readonly [N in Optional<F>]?: EncodableField<F[N]> | undefined
}

// ---- parsing --------------------------------------------------------------------------------------------------------

/** A field in one version. */
export interface Field {
  readonly name: string
  readonly type: FieldType | 'struct'
  readonly isArray: boolean
  readonly isNullable: boolean
  /** Whether this version has it. */
  readonly isPresent: boolean
  readonly tag: number | undefined
  readonly default: unknown
  /** Of structures. */
  readonly fields: Fields | undefined
}

const FIELD =
  /^(\[\])?(bool|int8|int16|uint16|int32|int64|float64|string|uuid|bytes|records|struct)?(\?)?(?: (\d+)(\+|-\d+)?)?(?: tag (\d+))?(?: = (.+))?$/

const NO_BYTES: Uint8Array = new Uint8Array(0)
export const NO_UUID: string = '0'.repeat(32)

export function parseFields(fields: Fields, version: number): readonly Field[] {
  return Object.entries(fields).map(([name, notation]) => parseField(name, notation, version))
}

/** @returns lowest and highest version. */
export function parseVersions(text: string): { readonly min: number; readonly max: number } {
  const [min, max] = text.split('-')
  return { min: Number(min), max: Number(max ?? min) }
}

function parseField(name: string, notation: Notation, version: number): Field {
  const [text, fields] = typeof notation === 'string' ? [notation, undefined] : notation
  const match = FIELD.exec(text)
  const type = (match?.[2] ?? (fields === undefined ? undefined : 'struct')) as Field['type'] | undefined
  if (match === null || type === undefined) throw new Error(`the field ${name} is written in a way that means nothing: ${text}`)
  const [, array, , nullable, from, to, tag, fallback] = match
  const isArray = array !== undefined
  const isNullable = nullable !== undefined
  return {
    name,
    type,
    isArray,
    isNullable,
    isPresent: isWithin(version, from, to),
    tag: tag === undefined ? undefined : Number(tag),
    default: defaultOf(type, isArray, fallback),
    fields,
  }
}

function isWithin(version: number, from: string | undefined, to: string | undefined): boolean {
  if (from === undefined) return true
  const first = Number(from)
  if (to === '+') return version >= first
  return version >= first && version <= (to === undefined ? first : Number(to.slice(1)))
}

function defaultOf(type: Field['type'], isArray: boolean, text: string | undefined): unknown {
  if (text === 'null') return null
  if (isArray) return []
  switch (type) {
    case 'bool':
      return text === 'true'
    case 'string':
      return text ?? ''
    case 'uuid':
      return NO_UUID
    case 'bytes':
    case 'records':
      return NO_BYTES
    case 'struct':
      return undefined
    case 'int8':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'int64':
    case 'float64':
      return Number(text ?? 0)
    default:
      return unreachable(type)
  }
}
