import type { TableName } from '../table-name.ts'
import { LANES } from './lanes.ts'
import { PENDING } from './outbox-schema.ts'

/** A relay that stops answering in the middle of a batch loses its lanes after this and what the broker may take. */
const IDLE_MARGIN_MS = 20_000

export interface RelayStatements {
  readonly begin: string
  readonly lastId: string
  readonly writers: string
  readonly lanes: string
  readonly rows: string
  readonly finish: string
  readonly park: string
}

export function relayStatements(table: TableName, publishTimeoutMs: number, keepSent: boolean): RelayStatements {
  const lane = table.beside('_lane')
  return {
    // Each statement has to see what was committed before it.
    begin: `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = ${publishTimeoutMs + IDLE_MARGIN_MS}`,
    lastId: `SELECT CASE WHEN is_called THEN last_value ELSE 0 END::float8 AS id FROM ${table.beside('_id')}`,
    /** `$1` the lock class. Two-part advisory locks have objsubid 2. */
    writers: `
SELECT objid::int AS lane, virtualtransaction AS writer FROM pg_locks
WHERE locktype = 'advisory' AND classid = $1::int::oid AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    /**
     * `$1` by lane the id that is safe, `$2` the lane to look at first, `$3` how many, `$4` destinations to leave out. What another
     * relay has is skipped.
     */
    lanes: `
SELECT lane FROM ${lane} AS candidate
WHERE EXISTS (
  SELECT 1 FROM ${table.sql} AS row
  WHERE row.lane = candidate.lane AND row.id <= ($1::bigint[])[candidate.lane + 1] AND ${PENDING}
    AND row.destination <> ALL ($4::text[])
)
ORDER BY (lane + ${LANES} - $2::int) % ${LANES} LIMIT $3::int FOR UPDATE SKIP LOCKED`,
    /** `$1` lanes that this relay has locked, `$2` their safe ids, `$3` rows, `$4` bytes, `$5` destinations to leave out. A prefix of each lane. */
    rows: `
SELECT id::text AS id, message_id, destination, key, body, headers,
  floor(extract(epoch FROM added_at) * 1000)::float8 AS added_at_ms,
  (extract(epoch FROM clock_timestamp() - added_at) * 1000)::float8 AS lag_ms
FROM (
  SELECT head.*, sum(octet_length(head.body)) OVER (ORDER BY head.id) - octet_length(head.body) AS bytes_before
  FROM unnest($1::int[], $2::bigint[]) AS held (lane, safe)
  CROSS JOIN LATERAL (
    SELECT * FROM ${table.sql} AS row WHERE row.lane = held.lane AND row.id <= held.safe AND ${PENDING}
      AND row.destination <> ALL ($5::text[])
    ORDER BY row.id LIMIT $3::int
  ) AS head
  ORDER BY head.id LIMIT $3::int
) AS batch
WHERE bytes_before < $4::bigint ORDER BY batch.id`,
    finish: keepSent
      ? `UPDATE ${table.sql} SET sent_at = clock_timestamp() WHERE id = ANY ($1::bigint[])`
      : `DELETE FROM ${table.sql} WHERE id = ANY ($1::bigint[])`,
    park: `
UPDATE ${table.sql} AS row SET parked = refused.reason
FROM unnest($1::bigint[], $2::text[]) AS refused (id, reason) WHERE row.id = refused.id`,
  }
}
