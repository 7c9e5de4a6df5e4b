import { simulateLogStore, type Coverage } from './log-store-simulation.ts'
import type { EngineName } from './simulated-engine.ts'

/** Operations in one random program. */
const STEPS = 150

/** Runs one program for each seed. @throws Error that says how to repeat the one that failed */
export async function simulateSeeds(engine: EngineName, first: number, count: number): Promise<Coverage> {
  const coverage: Coverage = new Map()
  for (let seed = first; seed < first + count; seed++) {
    try {
      await simulateLogStore(engine, seed, STEPS, coverage)
    } catch (error) {
      throw new Error(`seed ${seed} failed; repeat it with: npm run sim -- --engine ${engine} --seed ${seed}`, { cause: error })
    }
  }
  return coverage
}
