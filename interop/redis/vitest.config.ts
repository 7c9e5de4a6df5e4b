import { defineConfig } from 'vitest/config'
import base from '../../vitest.config.ts'

/** `npm test -w interop/redis`: tests that need a `redis-server` on this machine. */
export default defineConfig({
  ...base,
  root: new URL('../..', import.meta.url).pathname,
  test: { ...base.test, include: ['interop/redis/**/*.test.ts'] },
})
