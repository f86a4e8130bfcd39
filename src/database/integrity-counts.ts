import { type RawBuilder, sql } from 'kysely'
import type { IntegrityBounds } from '../core/integrity.ts'
import { instant } from './instant.ts'

export type Violations = { violations: number }

export type Scope = IntegrityBounds & {
  /** Whether a row of this table, by its name in the query, is of whom is asked for. */
  isOurs: (table: string) => RawBuilder<boolean>
}

/** A query whose one row says how often an invariant is broken. */
export type Count = (scope: Scope) => RawBuilder<Violations>

/** How many rows a query finds. */
export const numberOf = (query: RawBuilder<unknown>): RawBuilder<Violations> =>
  sql<Violations>`select count(*)::int as violations from (${query}) as violation`

export const at = (moment: number): RawBuilder<number> => sql<number>`${instant(moment)}::timestamptz`

/** By the database's clock. */
export const ago = (ms: number): RawBuilder<number> => sql<number>`now() - ${ms} * interval '1 millisecond'`
