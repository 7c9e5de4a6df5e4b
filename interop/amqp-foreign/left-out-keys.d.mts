export const leftOut: Readonly<Record<string, readonly string[]>>
export const leftOutOf: Readonly<Record<string, readonly string[]>>
