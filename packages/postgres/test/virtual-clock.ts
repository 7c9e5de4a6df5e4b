import type pg from 'pg'

const SCHEMA = 'virtual_clock'

/** For connections of those who shall see the clock: their `now()` and `clock_timestamp()` come from a table. */
export const ON_VIRTUAL_CLOCK: pg.PoolConfig = { options: `-c search_path=${SCHEMA},public,pg_catalog` }

/** A clock of the database that stands still until it is moved. */
export class VirtualClock {
  readonly #pool: pg.Pool

  private constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** @param pool on the system's clock */
  static async create(pool: pg.Pool): Promise<VirtualClock> {
    const time = `RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT at FROM ${SCHEMA}.clock'`
    await pool.query(`
CREATE SCHEMA ${SCHEMA};
CREATE TABLE ${SCHEMA}.clock (at timestamptz NOT NULL);
INSERT INTO ${SCHEMA}.clock VALUES ('2025-01-01');
CREATE FUNCTION ${SCHEMA}.now() ${time};
CREATE FUNCTION ${SCHEMA}.clock_timestamp() ${time}`)
    return new VirtualClock(pool)
  }

  async advance(ms: number): Promise<void> {
    await this.#pool.query(`UPDATE ${SCHEMA}.clock SET at = at + $1::float8 * interval '1 millisecond'`, [ms])
  }
}
