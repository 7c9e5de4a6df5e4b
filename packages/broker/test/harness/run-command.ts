import { spawn } from 'node:child_process'
import { expect } from 'vitest'
import { cleanEnvironment, commandLine, repository } from '../../../../bench/src/broker-process.ts'

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
  /** Called with all of stdout so far, and a way to signal the process. */
  readonly onOutput?: (stdout: string, signal: (name: NodeJS.Signals) => void) => void
  /** Gets a way to signal the process. */
  readonly onStart?: (signal: (name: NodeJS.Signals) => void) => void
}

/** Runs `millrace PARAMETERS` in a process of its own, as a user does. */
export function millrace(parameters: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [commandLine, ...parameters], {
      cwd: repository,
      env: { ...cleanEnvironment(), NO_COLOR: '1', ...options.env },
      timeout: options.timeoutMs ?? 20_000,
      killSignal: 'SIGKILL',
    })
    options.onStart?.((name) => child.kill(name))
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      options.onOutput?.(stdout, (name) => child.kill(name))
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
    child.stdin.end(options.input ?? '')
  })
}

/** The same against one broker. */
export function commandsFor(url: string): (parameters: readonly string[], options?: CommandOptions) => Promise<CommandResult> {
  return (parameters, options) => millrace(parameters, { ...options, env: { MILLRACE_URL: url, ...options?.env } })
}

/** Runs commands against one broker that must succeed, and gives their stdout. */
export function outputsOf(run: ReturnType<typeof commandsFor>): (...parameters: string[]) => Promise<string> {
  return async (...parameters) => {
    const { code, stdout, stderr } = await run(parameters)
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.any(String) as string })
    return stdout
  }
}
