import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDirectory } from './directory-lock.ts'

let base: string
const children: ChildProcess[] = []
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'millrace-lock-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(base, { recursive: true, force: true })
})

async function socketsIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith('.socket'))
}

/** A process that has the directory, or only looks whether it can. */
async function startHolder(directory: string, answer: 'holding' | 'looking'): Promise<ChildProcess> {
  const program = `
    const path = process.argv[1] + '/lock-' + process.pid + '-0000000000000000.socket'
    require('node:net').createServer((peer) => peer.end('${answer}')).listen(path, () => console.log('ready'))
  `
  const child = spawn(process.execPath, ['-e', program, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

describe('the lock of a data directory', () => {
  it('is exclusive, and free again after its release', async () => {
    const lock = await lockDirectory(base)
    await expect(lockDirectory(base)).rejects.toMatchObject({
      code: 'data_in_use',
      message: expect.stringContaining(`${base} is in use by this process (pid ${process.pid})`) as string,
    })
    await lock.release()
    expect(await readdir(base)).toEqual([])
    await (await lockDirectory(base)).release()
  })

  it('makes the directory, with all above it', async () => {
    const directory = join(base, 'a', 'b', 'c')
    await (await lockDirectory(directory)).release()
    expect(await readdir(directory)).toEqual([])
  })

  it('goes to exactly one of many that start at the same time', async () => {
    for (let round = 0; round < 10; round++) {
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(base)))
      const won = results.filter((result) => result.status === 'fulfilled')
      expect(won).toHaveLength(1)
      for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'data_in_use' })
      for (const { value } of won) await value.release()
    }
    expect(await readdir(base)).toEqual([])
  })

  it('names the process that holds it, and survives that process being killed', async () => {
    const holder = await startHolder(base, 'holding')
    await expect(lockDirectory(base)).rejects.toThrow(`is in use by process ${holder.pid}: stop it`)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    expect(await socketsIn(base)).toHaveLength(1)
    const lock = await lockDirectory(base)
    expect(await socketsIn(base)).toHaveLength(1)
    await lock.release()
    expect(await socketsIn(base)).toEqual([])
  })

  it('is held by a process that is stopped and does not answer', async () => {
    const holder = await startHolder(base, 'holding')
    holder.kill('SIGSTOP')
    await expect(lockDirectory(base)).rejects.toMatchObject({ code: 'data_in_use' })
  })

  it('waits for a process that is still looking, and takes over when it goes away', async () => {
    const other = await startHolder(base, 'looking')
    const locking = lockDirectory(base).then(
      async (lock) => lock.release().then(() => 'locked'),
      () => 'gave up',
    )
    setTimeout(() => other.kill('SIGKILL'), 300)
    // Which of the two waits depends on their names, that is on the process ids.
    expect(await locking).toBe(`lock-${other.pid}-` < `lock-${process.pid}-` ? 'gave up' : 'locked')
  })

  it('works under a path that is too long for a socket', async () => {
    const directory = join(base, 'x'.repeat(120), 'y'.repeat(120))
    const lock = await lockDirectory(directory)
    await expect(lockDirectory(directory)).rejects.toMatchObject({ code: 'data_in_use' })
    await lock.release()
    expect(await readdir(directory)).toEqual([])
  })
})

describe('a data directory that cannot be used', () => {
  it('because a file is in the way', async () => {
    await writeFile(join(base, 'file'), '')
    for (const path of [join(base, 'file'), join(base, 'file', 'below')]) {
      await expect(lockDirectory(path)).rejects.toMatchObject({
        code: 'data_unusable',
        message: expect.stringMatching(/is a file; move the file away or choose another directory/) as string,
      })
    }
  })

  it.runIf(process.platform === 'linux')('because the system makes no directories there', async () => {
    await expect(lockDirectory('/proc/millrace-data/below')).rejects.toMatchObject({ code: 'data_unusable' })
  })

  // Root may write everywhere, so the rights are tried as another user.
  it.skipIf(process.getuid?.() === undefined)('for lack of rights', async () => {
    const directory = join(base, 'closed')
    await mkdir(directory)
    await chmod(base, 0o755)
    await chmod(directory, 0o500)
    const isRoot = process.getuid!() === 0
    if (isRoot) process.seteuid!(65534)
    try {
      await expect(lockDirectory(directory)).rejects.toMatchObject({
        code: 'data_unusable',
        message: expect.stringMatching(/may not read and write there; change its owner or rights/) as string,
      })
    } finally {
      if (isRoot) process.seteuid!(0)
    }
  })
})
