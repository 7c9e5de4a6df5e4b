import { defineConfig } from 'vitest/config'
import base from '../../vitest.config.ts'

/** `npm test -w interop/amqp-foreign`: tests that need Java and Python on this machine. */
export default defineConfig({
  ...base,
  root: new URL('../..', import.meta.url).pathname,
  test: { ...base.test, include: ['interop/amqp-foreign/**/*.test.ts'], testTimeout: 240_000, maxWorkers: 2 },
})
