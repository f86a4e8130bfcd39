import { createMemo } from '../core/memo.ts'
import type { System } from '../core/system.ts'

const mostRowsKept = 10_000

/** `validForMs`: how long it stays what it is if nobody changes anything. */
export type Answer<Row> = { rows: Row[]; validForMs: number }

/**
 * A read that is answered from memory until something in the database has changed, or time has changed the answer;
 * each time anew where changes cannot be told.
 */
export function rememberWhileUnchanged<Asked extends readonly unknown[], Row>(
  { now }: Pick<System, 'now'>,
  changes: (() => number) | undefined,
  read: (...asked: Asked) => Promise<Answer<Row>>
): (...asked: Asked) => Promise<Row[]> {
  if (!changes) return async (...asked) => (await read(...asked)).rows
  const known = createMemo<{ rows: Row[]; at: number; until: number }>(mostRowsKept)
  return async (...asked) => {
    const key = JSON.stringify(asked)
    const at = changes()
    const askedAt = now()
    const kept = known.get(key)
    if (kept?.at === at && askedAt < kept.until) return kept.rows
    const { rows, validForMs } = await read(...asked)
    known.set(key, { rows, at, until: askedAt + validForMs }, rows.length + 1)
    return rows
  }
}
