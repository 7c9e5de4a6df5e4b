import { unreachable } from '../../base/assert.ts'
import { loginRules } from '../../protocols/session.ts'
import { configKeys, configPaths, type ConfigKey } from './keys.ts'
import { doors } from './doors.ts'

/** JSON Schema (2020-12) of the YAML file, for editors: docs/config.schema.json. */
export function configJsonSchema(): Record<string, unknown> {
  const top: Record<string, unknown> = {}
  const groups: Record<string, Record<string, unknown>> = {}
  for (const path of configPaths) {
    const [group, key] = path.split('.') as [string, string?]
    const schema = schemaOf(configKeys[path])
    if (key === undefined) top[group] = schema
    else (groups[group] ??= {})[key] = schema
  }
  for (const [group, properties] of Object.entries(groups)) {
    top[group] = { type: 'object', properties, additionalProperties: false }
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of a Millrace broker',
    type: 'object',
    properties: top,
    additionalProperties: false,
  }
}

const address = { anyOf: [{ type: 'string' }, { type: 'integer', minimum: 0, maximum: 65_535 }] }

const listenerSchema = {
  type: 'object',
  properties: {
    address,
    advertised: { type: 'string', pattern: ':[0-9]+$' },
    login: { enum: loginRules },
    tls: {
      anyOf: [
        { const: false },
        {
          type: 'object',
          properties: {
            cert: { type: 'string' },
            key: { type: 'string' },
            ca: { type: 'string' },
            clientCertificates: { enum: ['optional', 'required'] },
          },
          required: ['cert', 'key'],
          additionalProperties: false,
        },
      ],
    },
  },
  required: ['address'],
  additionalProperties: false,
}

function schemaOf({ type, default: standard, description }: ConfigKey): Record<string, unknown> {
  const common = { description, ...(standard === null ? {} : { default: standard }) }
  switch (type.kind) {
    case 'text':
      return { type: 'string', minLength: 1, ...common }
    case 'switch':
      return { type: 'boolean', ...common }
    case 'choice':
      return { enum: type.of, ...common }
    case 'bytes':
      return {
        anyOf: [
          { type: 'integer', minimum: type.min, maximum: type.max },
          { type: 'string', pattern: '^[0-9.]+ ?([KMGT]i?)?B?$' },
        ],
        ...common,
      }
    case 'duration':
      return {
        anyOf: [
          { type: 'number', minimum: type.min, maximum: type.max },
          { type: 'string', pattern: '^([0-9.]+(ms|s|m|h|d|w))+$' },
        ],
        ...common,
      }
    case 'count':
      return { type: 'integer', minimum: type.min, maximum: type.max, ...common }
    case 'list':
      return { type: 'array', items: { type: 'string' }, ...common }
    case 'address':
      return { type: 'string', pattern: ':[0-9]+$', ...common }
    case 'listen':
      return {
        anyOf: [
          { type: 'string' },
          { type: 'array', items: { type: 'string' } },
          {
            type: 'object',
            patternProperties: {
              [`^(${Object.keys(doors).join('|')})(/[A-Za-z0-9][A-Za-z0-9_-]*)?$`]: { anyOf: [...address.anyOf, listenerSchema] },
            },
            additionalProperties: false,
          },
        ],
        ...common,
      }
    default:
      return unreachable(type)
  }
}
