import type { AuditEntry } from './audit.ts'
import { arrange, type CalendlyKey } from './calendly-key.ts'
import type { CalendlyKeyTables, KeptKey } from './calendly-key-tables.ts'

/** Writes what differs from `before` once all have their place in the order, and tells how they are then. */
export async function rewrite(
  { calendlyKeys }: Pick<CalendlyKeyTables, 'calendlyKeys'>,
  before: readonly KeptKey[],
  after: readonly KeptKey[]
): Promise<KeptKey[]> {
  const arranged = arrange(after)
  for (const key of arranged) if (!before.includes(key)) await calendlyKeys.put(key)
  return arranged
}

type Action = 'added' | 'removed' | 'accepted' | 'refused' | 'promoted' | 'retired' | 'revoked'

/** What the audit log says of it. */
export function entryOf(key: CalendlyKey, action: Action, actor: string, at: number): AuditEntry {
  const { tenantId, name, source, lastFour, user } = key
  const detail = { source, last_four: lastFour, user }
  return { tenantId, at, actor, action: `calendly_key.${action}`, subject: name, detail }
}
