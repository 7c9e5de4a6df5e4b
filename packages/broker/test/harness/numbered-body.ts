/** Bodies that tell their number, and whose every byte follows from it: most are short, some are long enough to go other ways. */
export function numberedBody(number: number): string {
  const length = number % 16 === 0 ? (number * 7919) % 150_000 : number % 50
  return `${number} ${'x'.repeat(length)}`
}

/** @returns the number, or undefined when the body is not as it was made */
export function numberOf(body: string): number | undefined {
  const number = Number.parseInt(body, 10)
  return body === numberedBody(number) ? number : undefined
}
