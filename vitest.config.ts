import { defineConfig } from 'vitest/config'

const source = (path: string): string => new URL(path, import.meta.url).pathname

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@millrace\/wire$/, replacement: source('packages/wire/src/index.ts') },
      { find: /^@millrace\/client$/, replacement: source('packages/client/src/index.ts') },
      { find: /^@millrace\/postgres$/, replacement: source('packages/postgres/src/index.ts') },
      { find: /^@millrace\/redis$/, replacement: source('packages/redis/src/index.ts') },
      { find: /^@millrace\/streams$/, replacement: source('packages/streams/src/index.ts') },
      { find: /^millrace\/embedded$/, replacement: source('packages/broker/src/server/embedded.ts') },
      { find: /^millrace\/testing$/, replacement: source('packages/broker/src/server/testing/test-broker.ts') },
    ],
  },
  test: {
    include: [
      'packages/**/*.test.ts',
      'bench/**/*.test.ts',
      'examples/*.test.ts',
      'docs/**/*.test.ts',
      'interop/amqp/**/*.test.ts',
      'interop/kafka/**/*.test.ts',
    ],
    exclude: ['**/dist/**', '**/node_modules/**'],
    setupFiles: ['vitest.setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
