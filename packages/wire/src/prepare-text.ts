/** Spaces other than the ASCII one, and characters that stand for nothing: tables C.1.2 and B.1 of RFC 3454. */
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu
const NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\ufff9-\ufffd\ud800-\udfff]|\p{Co}/u

/**
 * Brings a user name or password into the one form in which it is compared: SASLprep (RFC 4013), without its rules on
 * directions of writing, which refuse but change nothing.
 * @returns undefined for a text with control characters
 */
export function prepareText(text: string): string | undefined {
  const prepared = text.replaceAll(OTHER_SPACES, ' ').replaceAll(NOTHING, '').normalize('NFKC')
  return FORBIDDEN.test(prepared) ? undefined : prepared
}
