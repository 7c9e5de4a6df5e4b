export function missingFrom(actual: unknown, expected: unknown): readonly string[]
