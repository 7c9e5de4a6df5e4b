/** Random programs, each played with many seeds. */
import { relative } from 'node:path'
import { expect } from 'vitest'

/**
 * Plays a program with seeds 1 to `usual`, or with as many as CORE_SEEDS says, from CORE_SEED on.
 * @returns how many seeds were played
 * @throws Error whose message has the command that plays the seed again
 */
export async function playSeeds(usual: number, play: (seed: number) => Promise<void>): Promise<number> {
  const count = Number(process.env['CORE_SEEDS'] ?? usual)
  const first = Number(process.env['CORE_SEED'] ?? 1)
  for (let seed = first; seed < first + count; seed++) {
    try {
      await play(seed)
    } catch (error) {
      const file = relative(process.cwd(), expect.getState().testPath ?? '')
      throw new Error(`seed ${seed}: CORE_SEED=${seed} CORE_SEEDS=1 npx vitest run ${file}`, { cause: error })
    }
  }
  return count
}

/** Adds what one program counted to the sums of all; counts that the sums do not name are left out. */
export function addCounts<Name extends string>(sums: Record<Name, number>, counts: Readonly<Record<Name, number>>): void {
  for (const name of Object.keys(sums) as Name[]) sums[name] += counts[name]
}
