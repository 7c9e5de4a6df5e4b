import { readFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { expect, test } from 'vitest'
import { groupDefaults } from '../../core/groups/limits.ts'
import { defaultStorageLimits } from '../../storage/limits.ts'
import { configFlags } from './flags.ts'
import { configJsonSchema } from './json-schema.ts'
import { configPaths } from './keys.ts'
import { loadConfig } from './load.ts'
import { configReference } from './reference.ts'

// `npx vitest run packages/broker/src/server/config -u` writes the documents anew.
const document = (name: string): string => new URL(`../../../../../docs/${name}`, import.meta.url).pathname

async function prettily(path: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(path)), filepath: path })
}

test('docs/config.schema.json is what the keys say', async () => {
  const path = document('config.schema.json')
  await expect(await prettily(path, JSON.stringify(configJsonSchema()))).toMatchFileSnapshot(path)
})

test('docs/configuration.md has all keys as they are', async () => {
  const path = document('configuration.md')
  const [begin, end] = ['<!-- keys: written by configuration.test.ts -->', '<!-- end of keys -->']
  const [before, rest] = readFileSync(path, 'utf8').split(begin) as [string, string]
  const after = rest.split(end)[1]!
  const whole = `${before}${begin}\n\n${configReference()}\n\n${end}${after}`
  await expect(await prettily(path, whole)).toMatchFileSnapshot(path)
})

test('every key is a flag of its own', () => {
  const flags = configFlags()
  expect(flags.map(({ path }) => path)).toEqual(configPaths)
  expect(new Set(flags.map(({ name }) => name)).size).toBe(flags.length)
  expect(flags.find(({ path }) => path === 'limits.batchBytesMax')).toMatchObject({
    name: 'limits-batch-bytes-max',
    attribute: 'limitsBatchBytesMax',
    environment: 'MILLRACE_LIMITS_BATCH_BYTES_MAX',
    defaultText: '17MiB',
  })
})

test('defaults are those of the store and of groups', async () => {
  const { limits, groups } = await loadConfig()
  expect(groups).toEqual(groupDefaults)
  const { batchBytesMax, commitBytesMax, pendingBytesHigh, pendingBytesLow, tailCacheBytes, checkpointBytes } =
    defaultStorageLimits
  expect(limits).toMatchObject({
    batchBytesMax,
    commitBytesMax,
    pendingBytesHigh,
    pendingBytesLow,
    tailCacheBytes,
    checkpointBytes,
  })
})
