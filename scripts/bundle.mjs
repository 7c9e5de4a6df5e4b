// Joins the compiled modules of the `millrace` command into few files: loading 240 small ones takes longer than all else at start.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

const broker = fileURLToPath(new URL('../packages/broker', import.meta.url))
const directory = join(broker, 'dist/bundle')
await rm(directory, { recursive: true, force: true })
await build({
  input: { main: join(broker, 'dist/cli/main.js') },
  platform: 'node',
  // Loaded late, or with files of their own beside them.
  external: ['@node-rs/crc32', 'pino', 'prom-client', 'ws', 'yaml'],
  output: { dir: directory, format: 'esm', sourcemap: true },
})
