import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BoundTo } from '../bound-to.ts'
import { TopicTrie } from './topic-trie.ts'

/** Bindings are told apart by what they lead to, which is their pattern here. */
function trieOf(...patterns: readonly string[]): TopicTrie {
  const trie = new TopicTrie()
  for (const pattern of patterns) trie.add({ key: pattern, to: pattern as unknown as BoundTo })
  return trie
}

function matches(trie: TopicTrie, key: string): { readonly found: readonly string[]; readonly steps: number } {
  const found: string[] = []
  let steps = 0
  trie.match(
    key,
    { key, header: () => undefined },
    { add: (to) => void found.push(to as unknown as string), step: () => void steps++ },
  )
  return { found: found.toSorted(), steps }
}

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split('.')
}

/** The definition, word by word. */
function fits(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return words.length === 0
  if (first === '#') return fits(rest, words) || (words.length > 0 && fits(pattern, words.slice(1)))
  return words.length > 0 && (first === '*' || first === words[0]) && fits(rest, words.slice(1))
}

test.each([
  ['a.b', 'a.b', true],
  ['a.*', 'a.b', true],
  ['a.*', 'a', false],
  ['a.*', 'a.', true],
  ['a.#', 'a', true],
  ['a.#', 'a.b.c', true],
  ['#', '', true],
  ['*', '', false],
  ['', '', true],
  ['', 'a', false],
  ['#.b.#', 'a.b.c', true],
  ['#.b.#', 'b', true],
  ['*.*', 'a.b', true],
  ['*.#.*', 'a', false],
  ['a.b', 'A.b', false],
  ['#.#', 'a', true],
  ['a..b', 'a..b', true],
  ['a.*.b', 'a..b', true],
  ['*', '*', true],
  ['#', '#', true],
  ['a', '#', false],
  ['a.b', 'a.*', false],
])('%j against %j: %s', (pattern, key, expected) => {
  expect(matches(trieOf(pattern), key).found).toEqual(expected ? [pattern] : [])
})

test('it finds exactly what the definition says, also after patterns were taken out', () => {
  const word = fc.constantFrom('a', 'b', '*', '#', '')
  const keyOf = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 6 }).map((words) => words.join('.'))
  const pattern = fc.array(word, { maxLength: 6 }).map((words) => words.join('.'))
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, { maxLength: 20 }),
      fc.array(pattern),
      fc.array(keyOf, { minLength: 1 }),
      (kept, gone, keys) => {
        const trie = trieOf(...kept, ...gone)
        for (const each of gone) trie.remove({ key: each, to: each as unknown as BoundTo })
        for (const key of keys) {
          const expected = kept.filter((each) => fits(wordsOf(each), wordsOf(key)))
          expect(matches(trie, key).found).toEqual(expected.toSorted())
        }
      },
    ),
  )
})

test('patterns full of # cost no more than their nodes for each word', () => {
  const pattern = Array.from({ length: 60 }, () => '#.a').join('.')
  const trie = trieOf(pattern, '#.b')
  const { found, steps } = matches(trie, Array.from({ length: 60 }, () => 'a').join('.'))
  expect(found).toEqual([pattern])
  expect(steps).toBeLessThan(61 * 2 * 123)
})
