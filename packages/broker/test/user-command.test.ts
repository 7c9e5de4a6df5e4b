import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BrokerProcess } from '../../../bench/src/broker-process.ts'
import { BrokerOfFile } from './harness/broker-of-file.ts'
import { commandsFor, millrace } from './harness/run-command.ts'

const { run } = new BrokerOfFile()
const root = { MILLRACE_USER: 'root', MILLRACE_PASSWORD: 'toor' }
const ann = { MILLRACE_USER: 'ann', MILLRACE_PASSWORD: 'secret' }

test('from the first user on everybody logs in, and may do what the rules say', async () => {
  const early = await run(['user', 'add', 'ann', '--rule', 'allow publish queue:a'], { input: 'secret\n' })
  expect(early).toMatchObject({ code: 2, stderr: expect.stringMatching(/millrace user add NAME --admin/) })
  expect(await run(['user', 'add', 'root', '--admin'], { input: 'toor\n' })).toMatchObject({ code: 0 })
  expect(await run(['user', 'ls'])).toMatchObject({ code: 4, stderr: expect.stringMatching(/MILLRACE_USER/) })

  const add = ['user', 'add', 'ann', '--rule', 'allow publish queue:a', 'deny publish queue:b']
  expect(await run(add, { input: 'secret', env: root })).toMatchObject({ code: 0, stderr: 'added user ann\n' })
  expect(await run(['user', 'ls'], { env: root })).toMatchObject({
    stdout:
      'root\tyes\t0\t-\tallow all **\t-\nann\tyes\t0\t-\tallow publish queue:a; deny publish queue:b\t-\n'
        .split('\n')
        .toSorted()
        .filter(Boolean)
        .join('\n') + '\n',
  })
  expect(await run(['pub', 'queue:a', 'x'], { env: ann })).toMatchObject({ code: 0 })
  expect(await run(['pub', 'queue:b', 'x'], { env: ann })).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/may not publish queue:b/),
  })
  expect(await run(['status'], { env: { ...ann, MILLRACE_PASSWORD: 'x' } })).toMatchObject({ code: 4 })
  expect(await run(['status', '--user', 'ann'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/MILLRACE_PASSWORD/) })

  const { stdout: token } = await run(['user', 'token', 'ann', '--label', 'ci'], { env: root })
  expect(await run(['pub', 'queue:a', 'x'], { env: { MILLRACE_TOKEN: token.trim() } })).toMatchObject({ code: 0 })
  const [id, label] = (await run(['user', 'tokens', 'ann'], { env: root })).stdout.trim().split('\t')
  expect(label).toBe('ci')
  expect(await run(['user', 'revoke', 'ann', id!], { env: root })).toMatchObject({ code: 0 })
  expect(await run(['pub', 'queue:a', 'x'], { env: { MILLRACE_TOKEN: token.trim() } })).toMatchObject({ code: 4 })

  expect(await run(['user', 'passwd', 'ann'], { input: 'other\n', env: root })).toMatchObject({ code: 0 })
  expect(await run(['user', 'set', 'ann', '--rule', 'allow publish queue:b'], { env: root })).toMatchObject({ code: 0 })
  expect(await run(['pub', 'queue:b', 'x'], { env: { ...ann, MILLRACE_PASSWORD: 'other' } })).toMatchObject({ code: 0 })
  expect(await run(['user', 'rm', 'ann', '--yes'], { env: root })).toMatchObject({ code: 0 })
  expect(await run(['user', 'rm', 'root', '--yes'], { env: root })).toMatchObject({ code: 4 })
})

test('a file of users lets a broker listen beyond this machine', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-users-'))
  const file = join(directory, 'users.json')
  const start = ['start', '--engine', 'memory', '--listen', 'none', '--listen', 'native=0.0.0.0:0', '--security-users-file', file]
  const refused = await millrace(start)
  expect(refused.code).toBe(4)
  expect(refused.stderr).toMatch(/no users are configured.*millrace user add NAME --admin/)
  expect(await millrace(['user', 'add', 'root', '--admin', '--file', file], { input: 'toor' })).toMatchObject({ code: 0 })
  expect((await millrace(['user', 'ls', '--file', file])).stdout).toBe('root\tyes\t0\t-\tallow all **\t-\n')
  const users = await BrokerProcess.start({ arguments: ['--engine', 'memory', '--security-users-file', file] })
  expect(await commandsFor(users.url)(['status'], { env: root })).toMatchObject({ code: 0 })
  expect(await commandsFor(users.url)(['status'])).toMatchObject({ code: 4 })
  await users.stop()
  rmSync(directory, { recursive: true })
})

test('permissions in virtual hosts are those of the broker', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-users-'))
  const file = ['--file', join(directory, 'users.json')]
  await millrace(['user', 'add', 'root', '--tag', 'administrator', ...file], { input: 'toor' })
  await millrace(['user', 'add', 'ann', '--tag', 'management', 'team', '--max-channels', '5', ...file], { input: 'secret' })
  expect(await millrace(['user', 'permit', 'ann', '--write', '^(a|b', ...file])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/a group has no \)/),
  })
  expect(await millrace(['user', 'permit', 'ann', '--write', '^a1', ...file])).toMatchObject({ code: 0 })
  const prod = ['--vhost', 'prod', '--configure', '.*', '--write', '.*', '--read', '.*']
  await millrace(['user', 'permit', 'ann', ...prod, ...file])
  await millrace(['user', 'permit', 'ann', '--exchange', 'amq.topic', '--write', '^ann\\.', ...file])
  expect((await millrace(['user', 'permissions', 'ann', ...file])).stdout).toBe(
    '/\t-\t-\t^a1\t-\nprod\t-\t.*\t.*\t.*\n/\tamq.topic\t-\t^ann\\.\t-\n',
  )
  expect((await millrace(['user', 'ls', ...file])).stdout).toMatch(/^ann\t.*\tmanagement, team$/m)

  const users = await BrokerProcess.start({ arguments: ['--engine', 'memory', '--security-users-file', file[1]!] })
  const there = commandsFor(users.url)
  expect(await there(['pub', 'queue:a1', 'x'], { env: ann })).toMatchObject({ code: 0 })
  expect(await there(['pub', 'queue:b1', 'x'], { env: ann })).toMatchObject({ code: 4 })
  expect(await there(['user', 'permit', 'ann', '--write', '^b'], { env: ann })).toMatchObject({ code: 4 })
  expect(await there(['user', 'permit', 'ann', '--write', '^b'], { env: root })).toMatchObject({ code: 0 })
  expect(await there(['pub', 'queue:b1', 'x'], { env: ann })).toMatchObject({ code: 0 })
  for (const place of [[], ['--vhost', 'prod'], ['--exchange', 'amq.topic']])
    expect(await there(['user', 'withdraw', 'ann', ...place], { env: root })).toMatchObject({ code: 0 })
  expect((await there(['user', 'permissions', 'ann'], { env: root })).stdout).toBe('')
  await users.stop()
  rmSync(directory, { recursive: true })
})
