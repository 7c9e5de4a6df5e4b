import * as clientModule from '@millrace/client'
import { startEmbedded, type EmbeddedBroker } from 'millrace/embedded'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSnippet, snippetsOf } from './snippets.ts'

let broker: EmbeddedBroker

beforeAll(async () => {
  broker = await startEmbedded()
})

afterAll(async () => {
  await broker.close()
})

describe('the guide to retries, delays and dead letters', () => {
  for (const [n, { title, code, prints }] of snippetsOf('retries-delays-dead-letters.md').entries()) {
    it(`${title}: snippet ${n}`, async () => {
      const modules = { '@millrace/client': clientModule }
      expect(await runSnippet(code, modules, { client: broker.client })).toEqual(prints)
    })
  }
})
