// Joins the compiled modules of the `millrace` command into few files: loading 240 small ones takes longer than all else at start.
import { spawnSync } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

const broker = fileURLToPath(new URL('../packages/broker', import.meta.url))
const directory = join(broker, 'dist/bundle')
await rm(directory, { recursive: true, force: true })
const { output } = await build({
  input: { main: join(broker, 'dist/cli/main.js') },
  platform: 'node',
  // The first has native files beside it, and `ws` does without the others.
  external: ['@node-rs/crc32', 'bufferutil', 'utf-8-validate'],
  output: {
    dir: directory,
    // What Node can run from compiled code: see docs/adr/0010-compiled-code-is-built.md.
    format: 'cjs',
    dynamicImportInCjs: false,
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    // What many commands and doors need is one file; the rest stays with those who need it, so that others do not load it.
    codeSplitting: { groups: [{ name: 'shared', minShareCount: 4 }] },
    sourcemap: true,
    comments: { legal: true, annotation: false, jsdoc: false },
  },
})
for (const { type, fileName } of output) if (type === 'chunk') await makeAscii(join(directory, fileName))

const { status } = spawnSync(process.execPath, [fileURLToPath(new URL('compile-bundle.mjs', import.meta.url))], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
process.exitCode = status ?? 1

/** One character outside Latin-1 makes V8 take two bytes for each of a file. Those there are stand in literals, which know escapes. */
async function makeAscii(file) {
  const text = await readFile(file, 'utf8')
  await writeFile(
    file,
    text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}
