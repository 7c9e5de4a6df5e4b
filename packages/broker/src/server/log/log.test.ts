import { expect, test } from 'vitest'
import { openLog } from './open-log.ts'

class Terminal {
  readonly lines: string[] = []
  readonly isTTY: boolean
  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }
  write(text: string): void {
    this.lines.push(text)
  }
}

test('writes one JSON object per line where nobody watches', () => {
  const output = new Terminal(false)
  const log = openLog({ level: 'info', format: 'auto' }, output)
  log.info('broker.ready', 'Ready.', { listeners: { native: '127.0.0.1:6455' } })
  log.debug('connection.open', 'not written')
  expect(output.lines).toHaveLength(1)
  expect(JSON.parse(output.lines[0]!)).toMatchObject({
    level: 'info',
    event: 'broker.ready',
    message: 'Ready.',
    listeners: { native: '127.0.0.1:6455' },
    pid: process.pid,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  })
})

test('writes lines for people on a terminal', () => {
  const output = new Terminal(true)
  openLog({ level: 'info', format: 'auto' }, output).warn('listener.skipped', 'Port taken.', {
    address: '127.0.0.1:1',
    note: 'a b',
  })
  // eslint-disable-next-line no-control-regex -- takes the colours off
  const plain = output.lines[0]!.replace(/\u001b\[\d+m/g, '')
  expect(plain).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}Port taken\. {2}address=127\.0\.0\.1:1 note="a b" event=listener\.skipped\n$/,
  )
})

test('the format can be chosen', () => {
  const output = new Terminal(true)
  openLog({ level: 'info', format: 'json' }, output).info('broker.ready', 'Ready.')
  expect(JSON.parse(output.lines[0]!)).toMatchObject({ event: 'broker.ready' })
})

test('errors keep their stack, secrets are left out', () => {
  const output = new Terminal(false)
  const log = openLog({ level: 'debug', format: 'json' }, output)
  log.error('broker.failed', 'It broke.', {
    error: new TypeError('x is not a y'),
    user: { password: 'hunter2' },
    password: 'hunter2',
  })
  const line = JSON.parse(output.lines[0]!) as { error: { type: string; message: string; stack: string } }
  expect(line.error).toMatchObject({ type: 'TypeError', message: 'x is not a y', stack: expect.stringContaining('log.test.ts') })
  expect(output.lines[0]).not.toContain('hunter2')
})
