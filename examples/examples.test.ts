import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Millrace } from '@millrace/client'
import { startEmbedded } from 'millrace/embedded'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { BrokerProcess, cleanEnvironment } from '../bench/src/broker-process.ts'
import { chatRoom } from './src/chat-room.ts'
import { flashSale } from './src/flash-sale.ts'
import { logPipeline } from './src/log-pipeline.ts'
import { ordersAndStock } from './src/orders-and-stock.ts'
import { pageViews } from './src/page-views.ts'
import { registration } from './src/registration.ts'

async function withBroker<Outcome>(example: (client: Millrace) => Promise<Outcome>): Promise<Outcome> {
  const broker = await startEmbedded()
  try {
    return await example(broker.client)
  } finally {
    await broker.close()
  }
}

describe.concurrent('what the examples show', () => {
  beforeAll(() => {
    vi.spyOn(console, 'log').mockReturnValue()
  })
  afterAll(() => {
    vi.restoreAllMocks()
  })

  test('registration: each service tries again by itself, and what fails for good is in the dead letters with its reason', async () => {
    const outcome = await withBroker(registration)
    expect(outcome).toEqual({
      mails: ['ann', 'eve'],
      texts: ['ann', 'bob', 'eve'],
      smsFailures: 2,
      undelivered: [{ name: 'bob', reason: 'max-attempts', attempts: 4, error: 'no mail server answers for bob@mail.invalid' }],
    })
  })

  test('orders-and-stock: order per product, each order once, and no stock below zero', async () => {
    const outcome = await withBroker(ordersAndStock)
    expect(outcome.handled).toEqual({ lamp: numbersOf(0), chair: numbersOf(1), desk: numbersOf(2), clock: numbersOf(3) })
    expect(outcome.stock).toEqual({ lamp: 5, chair: 0, desk: 0, clock: 0 })
    expect(outcome).toMatchObject({ shipped: 60, refused: 40, duplicates: 10, retries: 1 })
    expect(outcome.workersAtOnce).toBeGreaterThan(1)
  })

  test('flash-sale: as many orders as there is room for, at a pace that the database can bear', async () => {
    const { accepted, soldOut, savedPerSecond } = await withBroker(flashSale)
    expect(accepted + soldOut).toBe(10_000)
    expect(accepted).toBeGreaterThan(950)
    expect(soldOut).toBeGreaterThan(8000)
    expect(savedPerSecond.reduce((sum, count) => sum + count)).toBe(accepted)
    // 200, what may be caught up on after a pause, and those that were under way when a second ended.
    expect(Math.max(...savedPerSecond)).toBeLessThan(300)
  })

  test('log-pipeline: the filter leaves out what is no problem, and reading again finds everything', async () => {
    const outcome = await withBroker(logPipeline)
    expect(outcome).toMatchObject({ written: 6000, problems: 2250, everything: 6000 })
    expect(outcome.batches).toBeLessThan(100)
    expect(outcome.topProblemWords).toEqual([
      ['request', 1500],
      ['almost', 750],
      ['database', 750],
    ])
    expect(outcome.topWords).toEqual([
      ['request', 3000],
      ['cache', 1500],
      ['served', 1500],
    ])
  })

  test('chat-room: live, from a subscription, and as history', async () => {
    const { ann, bob, carol, cook, history } = await withBroker(chatRoom)
    expect(ann).toEqual([
      'ann: is anybody here?',
      'bob: hello ann',
      'ann: welcome carol',
      'bob: where did carol go?',
      'ann: there she is',
    ])
    expect(bob).toEqual(ann.slice(1))
    expect(carol).toEqual(ann.slice(2))
    expect(cook).toEqual(['cook: the soup is ready'])
    expect(history).toEqual(ann)
  })

  test('page-views: each view is counted once, though an instance ends in between', async () => {
    const { views, repeated, path } = await withBroker(pageViews)
    expect(views).toEqual(Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`/article-${n}`, 600])))
    expect(repeated).toBe(0)
    expect(path).toHaveLength(30)
  })
})

describe('as programs', () => {
  test('with nothing else running', async () => {
    expect(await run(program('registration'))).toContain(
      'desk   bob: max-attempts after 4 attempts, the last said: no mail server',
    )
  })

  test('on a broker that is running, and again after that', async () => {
    const broker = await BrokerProcess.start()
    try {
      const first = await run(program('chat-room'), '--url', broker.url)
      expect(first).toContain('[lobby] dave reads:\n  ann: is anybody here?\n')
      const second = await run(program('chat-room'), '--url', broker.url)
      expect(second.split('\n').toSorted()).toEqual(first.split('\n').toSorted())
    } finally {
      await broker.stop()
    }
  })

  test('what it does not understand is explained', async () => {
    const failure: unknown = await run(program('chat-room'), '--port', '1').catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--url millrace://HOST:PORT') })
  })
})

function program(name: string): string {
  return fileURLToPath(new URL(`dist/${name}.js`, import.meta.url))
}

/** @returns what it printed. @throws with `code`, `stdout` and `stderr` when its exit code is not 0 */
async function run(...parameters: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, parameters, { env: cleanEnvironment(), timeout: 30_000 })
  expect(stderr).toBe('')
  return stdout
}

/** The orders for a product: five in a row, then fifteen for others. */
function numbersOf(product: number): readonly number[] {
  return Array.from({ length: 100 }, (_, number) => number).filter((number) => Math.floor(number / 5) % 4 === product)
}
