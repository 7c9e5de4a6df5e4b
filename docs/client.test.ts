import * as clientModule from '@millrace/client'
import * as embeddedModule from 'millrace/embedded'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as zodModule from 'zod'
import { runSnippet, snippetsOf } from './snippets.ts'

const snippets = snippetsOf('client.md')
const modules = { '@millrace/client': clientModule, 'millrace/embedded': embeddedModule, zod: zodModule }

let broker: embeddedModule.EmbeddedBroker

beforeAll(async () => {
  broker = await embeddedModule.startEmbedded()
})

afterAll(async () => {
  await broker.close()
})

describe('the client guide', () => {
  for (const [n, { title, code, prints }] of snippets.entries()) {
    it(`${title}: snippet ${n}`, async () => {
      const connect = (_url: string, options: object): Promise<clientModule.Millrace> => broker.connect(options)
      expect(await runSnippet(code, modules, { client: broker.client, connect })).toEqual(prints)
    })
  }

  it('shows every way to publish and to consume', () => {
    const guide = snippets.map(({ code }) => code).join('\n')
    for (const call of [
      '.publish(',
      '.publishBatch(',
      '.send(',
      '.consume(',
      '.messages(',
      '.pull(',
      '.read(',
      '.subscription(',
      '.peek(',
      '.use(',
      '.transaction(',
      '.multicast(',
      '.request(',
      '.reply(',
      '.preparedProducer(',
      '.cancelScheduled(',
    ]) {
      expect(guide).toContain(call)
    }
  })
})
