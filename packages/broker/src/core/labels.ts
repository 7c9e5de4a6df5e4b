import { MillraceError } from '../base/errors.ts'
import { KIB } from '../base/units.ts'
import { jsonText } from './json-text.ts'
import type { Labels } from './router/router.ts'

/** What labels take as JSON. */
export const LABELS_BYTES_MAX: number = 16 * KIB
const LABELS_DEPTH_MAX = 32

/**
 * @returns a copy of what JSON can hold of them; undefined where there are none
 * @throws MillraceError `bad_request`
 */
export function checkLabels(labels: Labels | undefined): Labels | undefined {
  if (labels === undefined) return undefined
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    throw new MillraceError('bad_request', 'labels must be a JSON object')
  }
  const { text, bytes } = jsonText('labels', labels)
  if (bytes > LABELS_BYTES_MAX) throw new MillraceError('bad_request', `labels take at most ${LABELS_BYTES_MAX} bytes as JSON`)
  if (text === '{}') return undefined
  const copy = JSON.parse(text) as Labels
  if (!isDeeper(copy, LABELS_DEPTH_MAX)) return copy
  throw new MillraceError('bad_request', `labels are nested at most ${LABELS_DEPTH_MAX} levels deep`)
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1))
}
