// The `millrace` command: bin/millrace.js and scripts/start.mjs import this file to run it.
import { runCommandLine } from './program.ts'

// A reader that went away (`millrace sub ... | head -1`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

process.exitCode = await runCommandLine(process.argv)
