/** Three-valued logic: AND is the least of its operands, OR the greatest, NOT the distance from TRUE. */
export type Truth = 0 | 1 | 2

export const FALSE = 0
export const UNKNOWN = 1
export const TRUE = 2

export function not(truth: Truth): Truth {
  return (TRUE - truth) as Truth
}

export function truthOf(value: boolean): Truth {
  return value ? TRUE : FALSE
}
