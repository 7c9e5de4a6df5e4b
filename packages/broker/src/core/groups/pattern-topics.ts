import type { Topic } from '../entities.ts'
import type { TopicPattern } from './consumer-groups.ts'

/** The topics that a pattern takes. It is asked about each once: there may be many, and every heartbeat wants to know. */
export class PatternTopics {
  readonly pattern: TopicPattern
  /** By id, as a name may come back. */
  #asked = new Map<number, boolean>()

  constructor(pattern: TopicPattern) {
    this.pattern = pattern
  }

  names(topics: ReadonlyMap<string, Topic>): readonly string[] {
    const taken: string[] = []
    for (const { id, name } of topics.values()) {
      let isTaken = this.#asked.get(id)
      if (isTaken === undefined) this.#asked.set(id, (isTaken = this.pattern.matches(name)))
      if (isTaken) taken.push(name)
    }
    if (this.#asked.size > topics.size) {
      this.#asked = new Map([...topics.values()].map(({ id }) => [id, this.#asked.get(id)!]))
    }
    return taken
  }
}
