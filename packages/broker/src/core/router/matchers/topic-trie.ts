import type { RoutedMessage } from '../router.ts'
import { CountedSet } from './counted-set.ts'
import type { Found, MatchedBinding, Matcher } from './matcher.ts'

const ONE_WORD = '*'
const ANY_WORDS = '#'

/** A word of patterns, and what comes after it. */
class Node {
  /** By word; `*` and `#` among them. */
  children: Map<string, Node> | undefined
  /** Of the patterns that end here. */
  ends: CountedSet | undefined
  /** Whether it stands for any number of words. */
  readonly isAny: boolean
  /** The place in a key for which it was looked at last: see `TopicTrie.match`. */
  visit = 0

  constructor(isAny: boolean) {
    this.isAny = isAny
  }
}

/**
 * Patterns of words that dots separate: `*` is one word, `#` any number of them, none included. The empty key has no words.
 *
 * All places in the trie where the words so far may lead are followed side by side, each once for every word. So a lookup costs at most the
 * nodes of the trie for each word of the key, however many ways there are through the patterns.
 */
export class TopicTrie implements Matcher {
  readonly readsHeaders = false
  readonly #root = new Node(false)
  #visits = 0
  /** Nodes where the words so far lead, and those of the next word. */
  #here: Node[] = []
  #next: Node[] = []

  add({ key, to }: MatchedBinding): void {
    let node = this.#root
    for (const word of wordsOf(key)) {
      node.children ??= new Map()
      let child = node.children.get(word)
      if (child === undefined) node.children.set(word, (child = new Node(word === ANY_WORDS)))
      node = child
    }
    node.ends ??= new CountedSet()
    node.ends.add(to)
  }

  remove({ key, to }: MatchedBinding): void {
    const path: Node[] = [this.#root]
    const words = wordsOf(key)
    for (const word of words) {
      const child = path.at(-1)!.children?.get(word)
      if (child === undefined) return
      path.push(child)
    }
    const last = path.at(-1)!
    last.ends?.remove(to)
    if (last.ends?.isEmpty === true) last.ends = undefined
    for (let n = words.length; n > 0 && isBare(path[n]!); n--) {
      const parent = path[n - 1]!
      parent.children!.delete(words[n - 1]!)
      if (parent.children!.size === 0) parent.children = undefined
    }
  }

  match(key: string, _message: RoutedMessage, found: Found): void {
    this.#visits++
    this.#next.length = 0
    this.#reach(this.#root, found)
    for (const word of wordsOf(key)) {
      const here = this.#next
      this.#next = this.#here
      this.#next.length = 0
      this.#here = here
      this.#visits++
      for (const node of here) {
        found.step()
        if (node.isAny) this.#reach(node, found)
        const { children } = node
        if (children === undefined) continue
        const exact = children.get(word)
        // A key may have the words * and # itself, which are no patterns there.
        if (exact !== undefined && word !== ONE_WORD && word !== ANY_WORDS) this.#reach(exact, found)
        const one = children.get(ONE_WORD)
        if (one !== undefined) this.#reach(one, found)
      }
      if (this.#next.length === 0) return
    }
    for (const node of this.#next) if (node.ends !== undefined) for (const to of node.ends) found.add(to)
  }

  /** The words so far lead to this node, and past `#`, which may stand for none. */
  #reach(start: Node, found: Found): void {
    for (let node: Node | undefined = start; node !== undefined && node.visit !== this.#visits;) {
      node.visit = this.#visits
      found.step()
      this.#next.push(node)
      node = node.children?.get(ANY_WORDS)
    }
  }
}

function wordsOf(key: string): readonly string[] {
  return key === '' ? [] : key.split('.')
}

function isBare({ children, ends }: Node): boolean {
  return children === undefined && ends === undefined
}
