/** What models say of what they see. @throws Error `what`, unless it is so */
export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}
