import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@millrace/wire'
import { expect, test } from 'vitest'
import { type Backlog, readLog } from '../../../bench/src/backlog.ts'
import { repository, temporaryDirectory } from '../../../bench/src/broker-process.ts'
import { openDiskJournal } from '../src/engines/disk/index.ts'
import { nodePlatform } from '../src/server/node-platform.ts'
import { openLogStore } from '../src/storage/open-log-store.ts'

// bench/src/hundred-million.ts, scaled down: bench/README.md has the figures of the full run.
const load: Backlog = { messages: 200_000, logCount: 100, batch: 1 }
/** An entry that is not sealed takes 50 bytes or more: all but a few must be by now. */
const INDEX_BYTES_PER_ENTRY_MAX = 10

test('a long backlog in many logs survives kill -9, with an index that stays small', async () => {
  const directory = temporaryDirectory()
  try {
    const { messages, logCount, batch } = load
    const program = join(repository, 'bench/dist/hundred-million.js')
    const written = spawnSync(process.execPath, [program, ...[messages, logCount, batch].map(String), directory, 'write'])
    expect([written.signal, String(written.stderr)]).toEqual(['SIGKILL', ''])

    const journal = await openDiskJournal({ directory: join(directory, 'data'), durability: 'fsync' })
    const store = await openLogStore({ journal, platform: nodePlatform(), crc32c })
    expect(store.stats.indexBytes / (messages / batch)).toBeLessThan(INDEX_BYTES_PER_ENTRY_MAX)
    expect(store.logs().map((log) => store.bounds(log).end)).toEqual(Array(logCount).fill(messages / logCount))
    for (let n = 0; n < logCount; n++) expect((await readLog(store, n, load)).messages).toBe(messages / logCount)
    await store.close()
    await journal.close()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
