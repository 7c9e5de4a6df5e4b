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

describe('the guide to routing', () => {
  for (const [n, { title, code, prints }] of snippetsOf('routing.md').entries()) {
    it(`${title}: snippet ${n}`, async () => {
      expect(prints).not.toEqual([])
      expect(await runSnippet(code, {}, { client: broker.client })).toEqual(prints)
    })
  }
})
