import { describe, expect, it } from 'vitest'
import { VirtualTime } from './virtual-time.ts'

const DAY_MS = 86_400_000

describe('virtual time', () => {
  it('runs timers at their times, in order, also those that timers add', async () => {
    const time = new VirtualTime(1000, 1)
    const { clock, scheduler } = time.platform
    const seen: string[] = []
    const note = (name: string): void => void seen.push(`${name} ${clock.nowMs()} ${clock.monotonicMs()}`)
    scheduler.after(20, () => note('b'))
    scheduler.after(10, () => {
      note('a')
      scheduler.after(5, () => note('of a'))
      scheduler.after(0, () => note('at once'))
    })
    scheduler.after(20, () => note('c'))
    scheduler.after(15, () => note('cancelled')).cancel()
    scheduler.after(31, () => note('too late'))
    await time.advance(30)
    expect(seen).toEqual(['a 1010 10', 'at once 1010 10', 'of a 1015 15', 'b 1020 20', 'c 1020 20'])
    expect([time.nowMs, clock.monotonicMs()]).toEqual([1030, 30])
  })

  it('lets the work that a timer causes come to rest before the next one', async () => {
    const time = new VirtualTime(0, 1)
    const { scheduler } = time.platform
    const seen: string[] = []
    scheduler.after(1, () => {
      scheduler.endOfTurn(() => {
        void Promise.resolve().then(() => scheduler.endOfTurn(() => void seen.push('work of the first')))
      })
    })
    scheduler.after(1, () => void seen.push('the second'))
    await time.advance(1)
    expect(seen).toEqual(['work of the first', 'the second'])
  })

  it('ends early when it is told to', async () => {
    const time = new VirtualTime(0, 1)
    let fired = 0
    for (const ms of [10, 20, 30]) time.platform.scheduler.after(ms, () => void fired++)
    await time.advance(100, () => fired === 2)
    expect([fired, time.nowMs]).toEqual([2, 20])
  })

  it('does housekeeping twice in one step at most', async () => {
    const time = new VirtualTime(0, 1)
    const at: number[] = []
    const stop = time.clientPlatform.every(1000, () => void at.push(time.nowMs))
    await time.advance(500)
    await time.advance(500)
    expect(at).toEqual([1000])
    await time.advance(DAY_MS)
    expect(at).toEqual([1000, 2000, DAY_MS + 1000])
    stop()
    await time.advance(DAY_MS)
    expect(at).toHaveLength(3)
  })

  it('ends pauses when all is at rest, without anybody asking', async () => {
    const time = new VirtualTime(0, 1)
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      time.clientPlatform.lull(5000, () => {
        seen.push('pause')
        resolve()
      })
      time.clientPlatform.lull(5000, () => void seen.push('cancelled'))()
      time.clientPlatform.endOfTurn(() => time.clientPlatform.endOfTurn(() => void seen.push('work')))
    })
    expect(seen).toEqual(['work', 'pause'])
    expect(time.nowMs).toBe(0)
  })

  it('asks a poll again only after something happened', async () => {
    const time = new VirtualTime(0, 1)
    let polls = 0
    const poll = (): void => {
      polls++
      // As a session does: look at the end of the turn, and come back.
      time.sessionPlatform.scheduler.endOfTurn(() => time.sessionPlatform.scheduler.after(2, poll))
    }
    poll()
    await time.settle()
    expect(polls).toBe(2)
    await time.settle()
    expect(polls).toBe(2)
    time.clientPlatform.endOfTurn(() => undefined)
    await time.settle()
    expect(polls).toBe(3)
  })

  it('tells whoever moved time on of what a timer threw, and goes on', async () => {
    const time = new VirtualTime(0, 1)
    time.platform.scheduler.after(1, () => {
      throw new Error('broken')
    })
    await expect(time.advance(5)).rejects.toThrow('broken')
    await time.advance(5)
    expect(time.nowMs).toBe(6)
  })

  it('moves on until a promise settles', async () => {
    const time = new VirtualTime(0, 1)
    await time.until(time.sleep(90_000))
    expect(time.nowMs).toBe(90_000)
    await expect(time.until(Promise.reject(new Error('no')))).rejects.toThrow('no')
  })

  it('has the same chance from the same seed', () => {
    expect(draw(3)).toEqual(draw(3))
    expect(draw(3)).not.toEqual(draw(4))
    expect(draw(3)[1]).toBeLessThan(1)
  })
})

function draw(seed: number): number[] {
  const { platform, clientPlatform } = new VirtualTime(0, seed)
  return [platform.random.uint32(), clientPlatform.random(), platform.random.uint32()]
}
