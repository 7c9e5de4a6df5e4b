import { Script } from './script.ts'

// An entry is a hash: fence, done (0 or 1), until (ms), retention (ms), print (fingerprint), result. Its time to live is longer than
// `until` while it is in progress, so that a late holder can still complete.

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(number) return string.format('%.0f', number) end
`

/** Answers with what is there, if its time is not over. */
const look = `${clock}
local entry = redis.call('HMGET', KEYS[1], 'until', 'done', 'print', 'result', 'fence')
local alive = entry[1] and tonumber(entry[1]) > now
`

/**
 * KEYS: entry, fence counter. ARGV: lease, retention, late completion (ms), fingerprint ('' for none).
 *
 * A fence is one more than the last and at least the time in microseconds: it rises even after a replica took over that had not
 * heard of the last ones.
 */
export const begin: Script = new Script(`${look}
if alive then
  if ARGV[4] ~= '' and entry[3] and entry[3] ~= ARGV[4] then return {'mismatch'} end
  if entry[2] == '1' then return {'done', entry[4] or ''} end
  return {'in-progress', text(entry[1] - now)}
end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local fence = text(math.max(last + 1, time[1] * 1000000 + time[2]))
redis.call('SET', KEYS[2], fence)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'fence', fence, 'done', '0', 'until', text(now + ARGV[1]), 'retention', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'print', ARGV[4]) end
redis.call('PEXPIRE', KEYS[1], text(ARGV[1] + ARGV[3]))
return {'started', fence}
`)

const held = `${clock}
local entry = redis.call('HMGET', KEYS[1], 'fence', 'done', 'retention')
if entry[1] ~= ARGV[1] or entry[2] ~= '0' then return 0 end
`

/** KEYS: entry. ARGV: fence, result ('' for none). */
export const complete: Script = new Script(`${held}
redis.call('HSET', KEYS[1], 'done', '1', 'until', text(now + entry[3]))
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'result', ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], entry[3])
return 1
`)

/** KEYS: entry. ARGV: fence. */
export const release: Script = new Script(`${held}
redis.call('DEL', KEYS[1])
return 1
`)

/** KEYS: entry. */
export const get: Script = new Script(`${look}
if not alive then return {} end
return {entry[2], entry[5], entry[4] or ''}
`)
