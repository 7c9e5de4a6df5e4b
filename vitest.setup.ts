import fc from 'fast-check'

/** The same runs each time; `MILLRACE_SEED=N npx vitest run PATTERN` makes others, and repeats what a failed run printed. */
fc.configureGlobal({ seed: Number(process.env.MILLRACE_SEED ?? 20_190) })
