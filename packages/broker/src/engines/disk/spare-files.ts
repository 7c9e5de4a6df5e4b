import { join } from 'node:path'
import type { FileSystem } from './file-system.ts'
import { isFreed } from './freed-generations.ts'
import type { ManifestFacts } from './manifest.ts'
import { parseSegmentName } from './segment-format.ts'
import type { Spare } from './segment-supply.ts'

/** The generations of the segment files among `names` that were not given back, rising. */
export function generationsIn(names: readonly string[], freed: ManifestFacts['freed']): number[] {
  const generations: number[] = []
  for (const name of names) {
    const parsed = parseSegmentName(name)
    if (parsed?.kind === 'segment' && !isFreed(freed, parsed.generation)) generations.push(parsed.generation)
  }
  return generations.toSorted((a, b) => a - b)
}

/**
 * The files that can be used again: spares, and segments whose recycling was interrupted. Deletes those that cannot: of the wrong size, too
 * many, or made for a generation that is still to come, which another file may be used for; that would then be recycled under the same name.
 */
export async function collectSpares(
  names: readonly string[],
  freed: ManifestFacts['freed'],
  nextGeneration: number,
  settings: {
    readonly directory: string
    readonly segmentBytes: number
    readonly sparesMax: number
    readonly fileSystem: FileSystem
  },
): Promise<Spare[]> {
  const spares: Spare[] = []
  for (const name of names) {
    const parsed = parseSegmentName(name)
    if (parsed === undefined || (parsed.kind === 'segment' && !isFreed(freed, parsed.generation))) continue
    const path = join(settings.directory, name)
    const isWanted = spares.length < settings.sparesMax && parsed.generation < nextGeneration
    const spare = isWanted ? await asSpare(path, settings) : undefined
    if (spare === undefined) await settings.fileSystem.remove(path)
    else spares.push(spare)
  }
  return spares
}

async function asSpare(
  path: string,
  { fileSystem, segmentBytes }: { readonly fileSystem: FileSystem; readonly segmentBytes: number },
): Promise<Spare | undefined> {
  const file = await fileSystem.open(path, false)
  try {
    const { bytes, allocatedBytes } = await file.sizes()
    return bytes === segmentBytes ? { path, filledBytes: allocatedBytes >= bytes ? bytes : 0 } : undefined
  } finally {
    await file.close()
  }
}
