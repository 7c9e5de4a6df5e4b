/** What a value is, or what an operator asks for. `any`: it can only be known at run time, or does not matter. */
export type ValueKind = 'any' | 'boolean' | 'number' | 'string'

/** undefined is SQL's NULL: the property is absent. Numbers are exact as bigint, or as number if they are safe integers. */
export type SelectorValue = string | number | bigint | boolean | undefined

/** A message as a selector sees it. */
export interface SelectorMessage {
  /**
   * @param wanted what the selector does with the value. Messages whose properties have types ignore it; those that only have
   *   text can give what the text says (`textAs`). Nothing is converted after this call, except by the rocketmq dialect.
   */
  property(name: string, wanted: ValueKind): SelectorValue
}
