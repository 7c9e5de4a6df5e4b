import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repository: string = fileURLToPath(new URL('../../../../', import.meta.url))

const generated = new Set(['node_modules', 'dist', 'coverage', 'millrace-data'])

/** Files and folders below `folder`, relative to the repository, with forward slashes. Leaves out what is generated or hidden. */
export function tree(folder: string): { readonly files: readonly string[]; readonly folders: readonly string[] } {
  const files: string[] = []
  const folders: string[] = []
  const visit = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (generated.has(entry.name) || entry.name.startsWith('.')) continue
      const path = join(directory, entry.name)
      const name = relative(repository, path).split(sep).join('/')
      if (entry.isDirectory()) {
        folders.push(name)
        visit(path)
      } else files.push(name)
    }
  }
  visit(join(repository, folder))
  return { files: files.toSorted(), folders: folders.toSorted() }
}

export function read(file: string): string {
  return readFileSync(join(repository, file), 'utf8')
}

/** Source code without strings and comments, with every line where it was: what is left is what runs. */
export function codeOnly(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, (piece) =>
    piece.replace(/[^\n]/g, ' '),
  )
}

/** Module specifiers that a source file imports or exports from, types included. */
export function importsOf(text: string): readonly string[] {
  const found = text.matchAll(
    /^\s*(?:import|export)\b[^'"]*?\bfrom\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
  )
  return [...found].map((match) => (match[1] ?? match[2] ?? match[3])!)
}
