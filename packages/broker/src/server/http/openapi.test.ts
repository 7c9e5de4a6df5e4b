import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { startServer } from '../compose.ts'
import { loadConfig } from '../config/load.ts'
import { silentLog } from '../log/log.ts'

// `npx vitest run packages/broker/src/server/http/openapi.test.ts -u` writes docs/openapi.json anew.
const path = new URL('../../../../../docs/openapi.json', import.meta.url).pathname

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
}

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly tags: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly responses: Readonly<Record<string, { readonly description: string }>>
}

let document: {
  readonly openapi: string
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}
let operations: readonly { readonly path: string; readonly method: string; readonly operation: Operation }[]

beforeAll(async () => {
  const server = await startServer(await loadConfig({ flags: { engine: 'memory', listen: ['none', 'http=0'] } }), silentLog)
  document = (await (await fetch(`http://${server.listeners['http']}/v1/openapi.json`)).json()) as typeof document
  await server.close()
  operations = Object.entries(document.paths).flatMap(([route, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path: route, method, operation })),
  )
})

test('docs/openapi.json is what the broker serves', async () => {
  await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot(path)
})

test('every operation is complete', () => {
  expect(document.openapi).toBe('3.1.0')
  expect(operations.length).toBeGreaterThan(30)
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  const tags = document.tags.map(({ name }) => name)
  for (const { path: route, operation } of operations) {
    expect(operation.summary).not.toBe('')
    expect(tags).toEqual(expect.arrayContaining([...operation.tags]))
    const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
    expect(inPath.map(({ name }) => `{${name}}`)).toEqual(route.match(/\{\w+\}/g) ?? [])
    expect(inPath.every(({ required }) => required === true)).toBe(true)
    expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true)
    for (const { description } of Object.values(operation.responses)) expect(description).not.toBe('')
  }
})

test('every reference leads somewhere, and every schema says what it is', () => {
  const visit = (value: unknown, visitObject: (object: Record<string, unknown>) => void): void => {
    if (typeof value !== 'object' || value === null) return
    if (!Array.isArray(value)) visitObject(value as Record<string, unknown>)
    for (const inner of Object.values(value)) visit(inner, visitObject)
  }
  const references = new Set<string>()
  visit(document, (object) => {
    if (typeof object['$ref'] === 'string') references.add(object['$ref'])
  })
  expect(references.size).toBeGreaterThan(3)
  for (const reference of references) {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1]
    expect(document.components.schemas).toHaveProperty(name!)
  }
})

test('docs/http.md mentions no path that does not exist', () => {
  const text = readFileSync(new URL('../../../../../docs/http.md', import.meta.url), 'utf8')
  const patterns = Object.keys(document.paths).map((route) => new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`))
  const mentioned = [...text.matchAll(/localhost:8455(\/[^\s'?`]*)/g)].map(([, route]) => route!)
  expect(mentioned.length).toBeGreaterThan(8)
  expect(mentioned.filter((route) => !patterns.some((pattern) => pattern.test(route)))).toEqual([])
})
