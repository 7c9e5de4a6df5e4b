import { setTimeout } from 'node:timers/promises'

const PATIENCE_MS = 30_000

/** Waits until `done` says so: an example ends by itself, which a service does not. @throws Error when it takes too long */
export async function until(done: () => boolean): Promise<void> {
  const giveUpMs = performance.now() + PATIENCE_MS
  while (!done()) {
    if (performance.now() > giveUpMs) throw new Error(`What the example waits for did not happen within ${PATIENCE_MS} ms.`)
    await setTimeout(10)
  }
}
