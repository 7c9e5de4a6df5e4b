// The `millrace` command: bin/load-bundle.cjs loads this file, bundled, to run it.
import { EXIT } from './failure.ts'
import { runCommandLine } from './program.ts'

// A reader that went away (`millrace sub ... | head -1`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

let isDone = false
// Node comes here when nothing is left that could happen: a command that still waits must not pass for one that is done.
process.once('beforeExit', () => {
  if (isDone) return
  process.stderr.write('millrace: the command waits for something that cannot happen any more; this is a fault in Millrace.\n')
  process.exitCode = EXIT.error
})

void run()

async function run(): Promise<void> {
  process.exitCode = await runCommandLine(process.argv)
  isDone = true
}
