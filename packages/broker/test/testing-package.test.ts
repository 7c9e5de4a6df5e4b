import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

/** As somebody writes it who uses the test runner of Node and the published package. */
const program = `
import assert from 'node:assert/strict'
import test from 'node:test'
import { testBroker } from 'millrace/testing'

test('a retry', async () => {
  const broker = await testBroker()
  broker.client.queue('mail').consume((message) => {
    if (message.attempt === 1) throw new Error('later')
  })
  await broker.client.queue('mail').publish({ to: 'a@example.com' })
  const { attempt } = await broker.acked('queue:mail').waitFor(1, { within: '1m' })
  assert.equal(attempt, 2)
  await broker.close()
})
test('one that is left open', async () => {
  const broker = await testBroker()
  await broker.client.queue('mail').publish('x')
  assert.equal(broker.published('queue:mail').count, 1)
})
`

it('the built package works under node:test, and keeps no process running', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
    timeout: 30_000,
  })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/pass 2/)
  expect(status).toBe(0)
})
