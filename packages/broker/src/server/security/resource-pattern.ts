/**
 * Patterns over names of resources: `*` stands for any characters without `/`, `**` for any; at the end, `/**` also for nothing. Where names are any
 * text, `/` is a character like others, and what cannot stand in a rule is percent-encoded.
 */

export const PATTERN_LENGTH_MAX = 1000

const ANY_TEXT = /^(queue|exchange|vhost):/

export type ResourcePattern = (resource: string) => boolean

const ANY_BUT_SLASH = -1
const ANY = -2
const SLASH = 47

/** Takes time in proportion to the length of what is matched, whatever the pattern. @throws URIError where `%` does not begin an encoded character */
export function compilePattern(text: string): ResourcePattern {
  if (text === '**') return () => true
  if (text.endsWith('/**') && !ANY_TEXT.test(text)) {
    const parent = compileTokens(tokensOf(text.slice(0, -3)))
    const below = compileTokens(tokensOf(text))
    return (resource) => parent(resource) || below(resource)
  }
  if (!text.includes('*')) {
    const name = ANY_TEXT.test(text) ? decodeURIComponent(text) : text
    return (resource) => resource === name
  }
  return compileTokens(tokensOf(text))
}

/** Whether it matches anything that begins with `prefix`. */
export function matchesBelow(text: string, prefix: string): boolean {
  return follow(tokensOf(text), prefix).includes(1)
}

function tokensOf(text: string): readonly number[] {
  const isAnyText = ANY_TEXT.test(text)
  const tokens: number[] = []
  for (const [part] of text.matchAll(/\*\*+|\*|[^*]+/g)) {
    if (part === '*' && !isAnyText) tokens.push(ANY_BUT_SLASH)
    else if (part.startsWith('*')) tokens.push(ANY)
    else {
      const name = isAnyText ? decodeURIComponent(part) : part
      for (let n = 0; n < name.length; n++) tokens.push(name.charCodeAt(n))
    }
  }
  return tokens
}

function compileTokens(tokens: readonly number[]): ResourcePattern {
  return (resource) => follow(tokens, resource)[tokens.length] === 1
}

/** Follows all ways through the pattern at once. @returns for each n, whether the first n tokens match the text */
function follow(tokens: readonly number[], text: string): Uint8Array {
  let state = new Uint8Array(tokens.length + 1)
  let next = new Uint8Array(tokens.length + 1)
  state[0] = 1
  skipStars(state, tokens)
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    next.fill(0)
    for (let n = 0; n < tokens.length; n++) {
      if (state[n] === 0) continue
      const token = tokens[n]!
      if (token === ANY || (token === ANY_BUT_SLASH && code !== SLASH)) next[n] = 1
      else if (token === code) next[n + 1] = 1
    }
    skipStars(next, tokens)
    ;[state, next] = [next, state]
  }
  return state
}

/** A star may stand for nothing. */
function skipStars(state: Uint8Array, tokens: readonly number[]): void {
  for (let n = 0; n < tokens.length; n++) if (state[n] === 1 && tokens[n]! < 0) state[n + 1] = 1
}
