import { type RawBuilder, sql } from 'kysely'

/** An instant as both engines take it. */
export const instant = (at: number): string => new Date(at).toISOString()

/** A moment `ms` from the database's own now; leases and expiries follow its clock alone. */
export const fromNow = (ms: number): RawBuilder<string> => sql`now() + ${ms} * interval '1 millisecond'`
