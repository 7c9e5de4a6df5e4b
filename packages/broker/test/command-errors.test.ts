import { expect, test } from 'vitest'
import { freePort } from '../../../bench/src/free-port.ts'
import { BrokerOfFile } from './harness/broker-of-file.ts'
import { millrace } from './harness/run-command.ts'

/** How the real command tells what went wrong, to people and to programs. */

const broker = new BrokerOfFile()
const { run } = broker

test('the line for people ends with the code', async () => {
  const missing = await run(['queue', 'get', 'nowhere'])
  expect(missing).toMatchObject({ code: 3, stdout: '' })
  expect(missing.stderr).toMatch(/^millrace: [^\n]*nowhere[^\n]* \(not_found\)\n$/)
  expect((await run(['pub', 'nowhere', 'x'])).stderr).toMatch(/^millrace: 'nowhere' is not an address[^\n]*\.\n$/)
})

test('with -o json an error is the document that HTTP answers with', async () => {
  const { code, stdout, stderr } = await run(['queue', 'get', 'nowhere', '-o', 'json'])
  expect([code, stdout]).toEqual([3, ''])
  const answer = await fetch(`${broker.process.httpUrl}/v1/queues/nowhere`)
  expect(JSON.parse(stderr)).toEqual(await answer.json())
})

test('so are mistakes in the command line, and a broker that is not there', async () => {
  const unknown = await run(['queue', 'ls', '--nonsense', '-o', 'json'])
  expect([unknown.code, JSON.parse(unknown.stderr)]).toEqual([
    2,
    {
      type: 'urn:millrace:error:bad_request',
      title: 'The request is malformed.',
      status: 400,
      code: 'bad_request',
      detail: "unknown option '--nonsense'. `millrace --help` shows what there is.",
    },
  ])
  const nobody = await millrace(['status', '-o', 'ndjson', '--url', `millrace://127.0.0.1:${await freePort()}`])
  expect([nobody.code, JSON.parse(nobody.stderr)]).toMatchObject([
    1,
    { code: 'closed', detail: expect.stringContaining('No broker') },
  ])
  const yaml = await run(['queue', 'get', 'nowhere', '-o', 'yaml'])
  expect([yaml.code, yaml.stderr]).toMatchObject([3, expect.stringMatching(/^code: not_found$/m)])
})

test('a command that lacks its verb shows what there is, and no document', async () => {
  const { code, stdout, stderr } = await run(['queue'])
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr).toMatch(/^Usage: millrace queue/)
  expect((await run(['--help'])).code).toBe(0)
})
