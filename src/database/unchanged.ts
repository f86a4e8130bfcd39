import { createMemo } from '../core/memo.ts'

const mostRowsKept = 10_000

/**
 * A read that is answered from memory until something in the database has changed; each time anew where changes
 * cannot be told. What only time changes, such as an end, shows with the next change.
 */
export function rememberWhileUnchanged<Asked extends readonly unknown[], Row>(
  changes: (() => number) | undefined,
  read: (...asked: Asked) => Promise<Row[]>
): (...asked: Asked) => Promise<Row[]> {
  if (!changes) return read
  const known = createMemo<{ rows: Row[]; at: number }>(mostRowsKept)
  return async (...asked) => {
    const key = JSON.stringify(asked)
    const at = changes()
    const kept = known.get(key)
    if (kept?.at === at) return kept.rows
    const rows = await read(...asked)
    known.set(key, { rows, at }, rows.length + 1)
    return rows
  }
}
