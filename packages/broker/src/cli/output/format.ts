export const outputFormats = ['table', 'json', 'ndjson', 'yaml'] as const
export type Format = (typeof outputFormats)[number]
