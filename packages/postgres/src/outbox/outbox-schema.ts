import type { TableName } from '../table-name.ts'
import { KEYED_LANES, LANES } from './lanes.ts'

/** Rows that a relay has to send. */
export const PENDING = 'sent_at IS NULL AND parked IS NULL'

export function outboxSchema(table: TableName): string {
  return `
CREATE SEQUENCE IF NOT EXISTS ${table.beside('_id')};
-- Rows come and go: without frequent vacuuming the index would be full of what is gone.
CREATE TABLE IF NOT EXISTS ${table.sql} (
  id          bigint PRIMARY KEY DEFAULT nextval('${table.beside('_id')}'),
  lane        smallint NOT NULL,
  message_id  text NOT NULL,
  destination text NOT NULL,
  key         bytea,
  body        bytea NOT NULL,
  headers     json NOT NULL,
  added_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  sent_at     timestamptz,
  -- why the broker will never take it
  parked      text
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
CREATE INDEX IF NOT EXISTS ${table.index('_pending')} ON ${table.sql} (lane, id) INCLUDE (destination) WHERE ${PENDING};
CREATE INDEX IF NOT EXISTS ${table.index('_sent')} ON ${table.sql} (sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS ${table.index('_parked')} ON ${table.sql} (id) WHERE parked IS NOT NULL;
-- One row per lane: a relay locks it while it empties the lane.
CREATE TABLE IF NOT EXISTS ${table.beside('_lane')} (lane smallint PRIMARY KEY);
INSERT INTO ${table.beside('_lane')} SELECT generate_series(0, ${LANES - 1}) ON CONFLICT DO NOTHING`
}

/**
 * `$1` the messages as JSON (`message-rows.ts`), `$2` the lock class.
 *
 * The count makes every lane's lock come before the first id (see WriterBarrier). Shared locks do not wait for each other.
 */
export function insertStatement(table: TableName, notify: boolean): string {
  return `
WITH message AS MATERIALIZED (
  SELECT * FROM json_to_recordset($1::json)
    AS field (lane smallint, id text, destination text, key text, body text, headers json)
), locked AS MATERIALIZED (
  SELECT pg_advisory_xact_lock_shared($2::int, lane) FROM (SELECT DISTINCT lane::int AS lane FROM message WHERE lane < ${KEYED_LANES}) AS lanes
)${notify ? `, woken AS MATERIALIZED (SELECT pg_notify('${table.channel}', ''))` : ''}
INSERT INTO ${table.sql} (lane, message_id, destination, key, body, headers)
SELECT lane, id, destination, decode(key, 'base64'), decode(body, 'base64'), headers
FROM (SELECT count(*) FROM locked) AS lanes${notify ? ', (SELECT count(*) FROM woken) AS wake' : ''}, message`
}

/** `$1` age in milliseconds, `$2` how many. */
export function purgeStatement(table: TableName): string {
  return `
DELETE FROM ${table.sql} WHERE id IN (
  SELECT id FROM ${table.sql} WHERE sent_at < now() - $1::float8 * interval '1 millisecond'
  ORDER BY sent_at LIMIT $2::int FOR UPDATE SKIP LOCKED
) RETURNING 1 AS purged`
}
