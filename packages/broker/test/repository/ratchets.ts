/** Limits for all code. What was longer when a limit was set is listed here: it may shrink, and never grow. */
export const FILE_LINES_MAX = 500
/** Tests tell stories, and may be longer. */
export const TEST_FILE_LINES_MAX = 700
export const FUNCTION_LINES_MAX = 70

/** File -> lines. */
export const longFiles: Readonly<Record<string, number>> = {}

/** `file: function` -> lines. */
export const longFunctions: Readonly<Record<string, number>> = {
  'packages/broker/src/storage/directory-scan.ts: payloadRanges': 80,
}
