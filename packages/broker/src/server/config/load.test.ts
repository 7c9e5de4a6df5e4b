import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { unreachable } from '../../base/assert.ts'
import type { ConfigPath } from './config.ts'
import { configKeys, configPaths, environmentName, flagAttribute } from './keys.ts'
import { loadConfig } from './load.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-config-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function file(content: string): string {
  const path = join(directory, `${Math.random()}.yaml`)
  writeFileSync(path, content)
  return path
}

async function problemsOf(sources: Parameters<typeof loadConfig>[0]): Promise<string> {
  const error = await loadConfig(sources).then(
    () => undefined,
    (failure: unknown) => failure as { code: string; message: string },
  )
  expect(error?.code).toBe('bad_config')
  return error!.message
}

const listening = (config: { listen: readonly { door: string; host: string; port: number }[] }): string =>
  config.listen.map(({ door, host, port }) => `${door}=${host}:${port}`).join(' ')

test('defaults need no source at all', async () => {
  const config = await loadConfig()
  expect(config.data).toBe('./millrace-data')
  expect(config.durability).toBe('fsync')
  expect(config.autoCreate).toBe(true)
  expect(config.security.allowRemoteWithoutUsers).toBe(false)
  expect(config.limits.batchBytesMax).toBe(17 * 1024 * 1024)
  expect(config.readyFile).toBeNull()
  expect(listening(config)).toBe(
    'native=127.0.0.1:6455 http=127.0.0.1:8455 kafka=127.0.0.1:9092 amqp=127.0.0.1:5672 management=127.0.0.1:15672',
  )
  expect(config.listen.every(({ asked }) => !asked)).toBe(true)
})

/** A value that is not the default, as text, for any key. */
function other(path: ConfigPath): { text: string; yaml: string; parsed: unknown } {
  const { type, default: standard } = configKeys[path]
  switch (type.kind) {
    case 'text':
      return { text: '/x/y', yaml: '/x/y', parsed: '/x/y' }
    case 'switch':
      return { text: String(standard !== true), yaml: String(standard !== true), parsed: standard !== true }
    case 'choice': {
      const choice = type.of.find((candidate) => candidate !== standard)!
      return { text: choice, yaml: choice, parsed: choice }
    }
    case 'bytes':
      // The marks depend on each other: every size here is legal beside the defaults of the others.
      return path === 'limits.pendingBytesLow' || path === 'limits.batchBytesMax'
        ? { text: '1MiB', yaml: '1048576', parsed: 1_048_576 }
        : { text: '128MiB', yaml: '134217728', parsed: 134_217_728 }
    case 'duration':
      return { text: '1m30s', yaml: '90000', parsed: 90_000 }
    case 'count':
      return { text: '7', yaml: '7', parsed: 7 }
    case 'list':
      return {
        text: 'https://a.example, https://b.example',
        yaml: '[https://a.example, https://b.example]',
        parsed: ['https://a.example', 'https://b.example'],
      }
    case 'address':
      return { text: '[::1]:7', yaml: '"[::1]:7"', parsed: { host: '::1', port: 7 } }
    case 'listen':
      return {
        text: 'native=[::1]:1,http=none,kafka=none,amqp=none,management=none',
        yaml: '{ native: "[::1]:1", http: none, kafka: none, amqp: none, management: none }',
        parsed: [{ door: 'native', name: 'native', host: '::1', port: 1, asked: true }],
      }
    default:
      return unreachable(type)
  }
}

function valueAt(config: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config)
}

describe.each(configPaths)('%s', (path) => {
  const { text, yaml, parsed } = other(path)
  const inFile = (value: string): string => {
    const [group, key] = path.split('.') as [string, string?]
    return file(key === undefined ? `${group}: ${value}\n` : `${group}:\n  ${key}: ${value}\n`)
  }

  test('can be set by file, environment and flag', async () => {
    expect(valueAt(await loadConfig({ file: inFile(yaml) }), path)).toEqual(parsed)
    expect(valueAt(await loadConfig({ env: { [environmentName(path)]: text } }), path)).toEqual(parsed)
    expect(valueAt(await loadConfig({ flags: { [flagAttribute(path)]: text } }), path)).toEqual(parsed)
    expect(valueAt(await loadConfig({ flags: { [path]: text } }), path)).toEqual(parsed)
  })

  test('says which source holds a bad value', async () => {
    const bad = configKeys[path].type.kind === 'text' || configKeys[path].type.kind === 'list' ? 5 : 'nonsense!'
    expect(await problemsOf({ flags: { [flagAttribute(path)]: bad } })).toContain(`--`)
    expect(await problemsOf({ file: inFile(JSON.stringify(bad)) })).toContain(path)
  })
})

test('flags win over the environment, which wins over the file', async () => {
  const yaml = file('data: file\nengine: memory\ndurability: os\n')
  const env = { MILLRACE_DATA: 'env', MILLRACE_DURABILITY: 'fsync' }
  const config = await loadConfig({ file: yaml, env, flags: { data: 'flag' } })
  expect([config.data, config.durability, config.engine]).toEqual(['flag', 'fsync', 'memory'])
})

test('the environment can name the file', async () => {
  expect((await loadConfig({ env: { MILLRACE_CONFIG: file('data: here') } })).data).toBe('here')
  expect(await problemsOf({ env: { MILLRACE_CONFIG: '/does/not/exist.yaml' } })).toContain('/does/not/exist.yaml')
})

describe('unknown keys', () => {
  test('are errors that suggest the nearest key', async () => {
    expect(await problemsOf({ file: file('durabilty: os') })).toContain('Did you mean "durability"?')
    expect(await problemsOf({ file: file('log:\n  levl: warn') })).toContain('Did you mean "log.level"?')
    expect(await problemsOf({ file: file('level: warn') })).toContain('Did you mean "log.level"?')
    expect(await problemsOf({ env: { MILLRACE_DURABILTY: 'os' } })).toContain('Did you mean MILLRACE_DURABILITY?')
    expect(await problemsOf({ flags: { dta: 'x' } })).toContain('Did you mean "data"?')
  })

  test('are all reported at once', async () => {
    const problems = await problemsOf({ file: file('dta: x\nengine: paper'), env: { MILLRACE_AUTO_CREATE: 'perhaps' } })
    expect(problems.split('\n')).toHaveLength(3)
  })

  test('in the environment that belong to others are left alone', async () => {
    const warnings: string[] = []
    const env = {
      MILLRACE_URL: 'millrace://localhost',
      MILLRACE_SERVICE_HOST: '10.0.0.1',
      MILLRACE_PORT: 'tcp://10.0.0.1:6455',
      MILLRACE_PORT_6455_TCP_ADDR: '10.0.0.1',
      MILLRACE_HTTP_SERVICE_PORT_WEB: '8455',
      MILLRACE_SOMETHING_ELSE_ENTIRELY: '1',
    }
    await loadConfig({ env, onWarning: (message) => warnings.push(message) })
    expect(warnings).toEqual([
      'The environment variable MILLRACE_SOMETHING_ELSE_ENTIRELY is not a setting of the broker; it is ignored.',
    ])
  })
})

describe('listen', () => {
  test('overrides door by door, source by source', async () => {
    const yaml = file('listen:\n  native: 127.0.0.1:1\n  http: 127.0.0.1:2\n')
    expect(listening(await loadConfig({ file: yaml, env: { MILLRACE_LISTEN: 'http=127.0.0.1:3' } }))).toBe(
      'native=127.0.0.1:1 http=127.0.0.1:3 kafka=127.0.0.1:9092 amqp=127.0.0.1:5672 management=127.0.0.1:15672',
    )
    const config = await loadConfig({ flags: { listen: ['http=0.0.0.0:0'] } })
    expect(listening(config)).toBe(
      'native=127.0.0.1:6455 http=0.0.0.0:0 kafka=127.0.0.1:9092 amqp=127.0.0.1:5672 management=127.0.0.1:15672',
    )
    expect(config.listen.map(({ asked }) => asked)).toEqual([false, true, false, false, false])
  })

  test('none closes one door or all', async () => {
    expect(listening(await loadConfig({ flags: { listen: ['native=none'] } }))).toBe(
      'http=127.0.0.1:8455 kafka=127.0.0.1:9092 amqp=127.0.0.1:5672 management=127.0.0.1:15672',
    )
    expect(listening(await loadConfig({ flags: { listen: 'none' } }))).toBe('')
    expect(listening(await loadConfig({ flags: { listen: ['none', 'native=9'] } }))).toBe('native=127.0.0.1:9')
    expect(listening(await loadConfig({ file: file('listen: { native: 127.0.0.1:1 }'), env: { MILLRACE_LISTEN: 'none' } }))).toBe(
      '',
    )
  })

  test('opens further listeners of a door, by name, each with what it has of its own', async () => {
    const external = '{ address: 0.0.0.0:9093, advertised: "broker.example:9093", tls: { cert: c, key: k }, login: required }'
    const yaml = file(
      `listen:\n  kafka/external: ${external}\n  kafka: 127.0.0.1:1\n  native/far: 127.0.0.1:2\n  http: none\n  amqp: none\n  management: none\n`,
    )
    const env = { MILLRACE_LISTEN: 'kafka/second=127.0.0.1:3,native/far=none' }
    const { listen } = await loadConfig({ file: yaml, env })
    expect(listen.map(({ name, port }) => `${name}=${port}`)).toEqual([
      'native=6455',
      'kafka=1',
      'kafka/external=9093',
      'kafka/second=3',
    ])
    expect(listen[2]).toEqual({
      door: 'kafka',
      name: 'kafka/external',
      host: '0.0.0.0',
      port: 9093,
      asked: true,
      advertised: { host: 'broker.example', port: 9093 },
      tls: { cert: 'c', key: 'k', ca: null, clientCertificates: 'optional' },
      login: 'required',
    })
    expect(listening(await loadConfig({ flags: { listen: ['none', 'kafka/only=9'] } }))).toBe('kafka=127.0.0.1:9')
  })

  test.each([
    [{ 'kafka/': '1' }, /kafka\/NAME/],
    [{ 'kafka/a b': '1' }, /kafka\/NAME/],
    [{ 'fax/a': '1' }, /no door "fax"/],
    [{ kafka: { addres: '1' } }, /no setting "addres"/],
    [{ kafka: { tls: false } }, /has no address/],
    [{ kafka: ['1'] }, /not text/],
    [{ kafka: { address: '1', login: 'maybe' } }, /one of optional, required, none/],
    [{ kafka: { address: '1', advertised: '9093' } }, /advertised of the listener "kafka" must be HOST:PORT/],
    [{ http: { address: '1', advertised: 'a:1' } }, /tells its clients no address/],
  ])('refuses %j', async (listen, message) => {
    expect(await problemsOf({ flags: { listen } })).toMatch(message)
  })

  test('refuses doors and addresses that do not exist', async () => {
    expect(await problemsOf({ flags: { listen: ['fax=127.0.0.1:9092'] } })).toContain(
      'no door "fax" in this version; the doors are native, http, kafka, amqp',
    )
    expect(await problemsOf({ flags: { listen: ['nativ=127.0.0.1:1'] } })).toContain('Did you mean "native"?')
    for (const address of ['native=127.0.0.1', 'native=::1:80', 'native=h:99999', 'native=', 'native=a b:1', '127.0.0.1:1']) {
      expect(await problemsOf({ flags: { listen: [address] } })).toContain('HOST:PORT')
    }
    expect(await problemsOf({ flags: { listen: ['native=1', 'native=2'] } })).toContain('twice')
  })
})

test('limits that contradict each other are refused', async () => {
  expect(await problemsOf({ flags: { limitsPendingBytesHigh: '1MiB' } })).toContain('limits.pendingBytesLow')
})

test('a file that is not YAML, or not a mapping, is refused', async () => {
  expect(await problemsOf({ file: file('a: [') })).toContain('not valid YAML')
  expect(await problemsOf({ file: file('- a') })).toContain('"key: value"')
  expect((await loadConfig({ file: file('') })).engine).toBe('disk')
})
