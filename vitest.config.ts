import { defineConfig } from 'vitest/config'

const source = (path: string): string => new URL(path, import.meta.url).pathname

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@millrace\/wire$/, replacement: source('packages/wire/src/index.ts') },
      { find: /^@millrace\/client$/, replacement: source('packages/client/src/index.ts') },
      { find: /^millrace\/embedded$/, replacement: source('packages/broker/src/server/embedded.ts') },
    ],
  },
  test: {
    include: ['packages/**/*.test.ts', 'bench/**/*.test.ts', 'docs/**/*.test.ts'],
    exclude: ['**/dist/**', '**/node_modules/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
