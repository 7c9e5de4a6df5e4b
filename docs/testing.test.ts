import * as clientModule from '@millrace/client'
import * as testingModule from 'millrace/testing'
import { describe, expect, it } from 'vitest'
import * as zodModule from 'zod'
import { runSnippet, snippetsOf } from './snippets.ts'

const snippets = snippetsOf('testing.md')
const modules = { '@millrace/client': clientModule, 'millrace/testing': testingModule, zod: zodModule }

describe('the testing guide', () => {
  for (const [n, { title, code, prints }] of snippets.entries()) {
    it(`${title}: snippet ${n}`, async () => {
      await using broker = await testingModule.testBroker()
      const { client, clock } = broker
      expect(await runSnippet(code, modules, { broker, client, clock })).toEqual(prints)
    })
  }

  it('shows every part of a test broker', () => {
    const guide = snippets.map(({ code }) => code).join('\n')
    for (const call of [
      'clock.advance(',
      'clock.settle(',
      'clock.sleep(',
      '.published(',
      '.consumed(',
      '.acked(',
      '.nacked(',
      '.rejected(',
      '.deadLettered(',
      '.waitFor(',
      '.failNext(',
      '.disconnect(',
      '.connect(',
    ]) {
      expect(guide).toContain(call)
    }
  })
})
