import { check, type Typed, typed } from '../../api/json-schema.ts'

const COUNT_MAX = 1_000_000_000

/** How much there may be in a virtual host. Absent: no limit. */
export interface VhostLimits {
  readonly maxConnections?: number
  readonly maxQueues?: number
}

/** What is said of a virtual host. */
export interface VhostSettings {
  readonly description?: string
  readonly tags?: readonly string[]
  /** Type of queues that do not say one. */
  readonly defaultQueueType?: 'classic' | 'quorum' | 'stream'
  readonly limits?: VhostLimits
  readonly isTraced?: boolean
}

const limit = { type: 'integer', minimum: 0, maximum: COUNT_MAX } as const

const schema: Typed<VhostSettings> = typed({
  type: 'object',
  properties: {
    description: { type: 'string', maxLength: 10_000 },
    tags: { type: 'array', items: { type: 'string', minLength: 1, maxLength: 255 }, maxItems: 100 },
    defaultQueueType: { type: 'string', enum: ['classic', 'quorum', 'stream'] },
    limits: { type: 'object', properties: { maxConnections: limit, maxQueues: limit }, additionalProperties: false },
    isTraced: { type: 'boolean' },
  },
  additionalProperties: false,
})

/** @throws MillraceError `bad_request` */
export function checkVhostSettings(settings: VhostSettings): void {
  check(schema, settings, 'the virtual host')
}
