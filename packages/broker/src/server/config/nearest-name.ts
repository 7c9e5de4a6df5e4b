import { editDistance } from '../../base/edit-distance.ts'

/** The name that is closest to what was typed, for "did you mean", or undefined when none is close. */
export function nearestName(typed: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  // A third of the letters may be wrong: beyond that a suggestion is noise.
  let bestDistance = Math.max(2, Math.floor(typed.length / 3)) + 1
  for (const name of names) {
    const distance = editDistance(typed.toLowerCase(), name.toLowerCase())
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  return best
}
