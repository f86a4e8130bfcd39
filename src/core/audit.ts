/** Who changed what. `detail` holds no secret. */
export type AuditEntry = {
  tenantId: string
  at: number
  actor: string
  /** Such as `calendly_key.promoted`. */
  action: string
  /** The id or name of what was changed. */
  subject: string
  detail: Readonly<Record<string, unknown>>
}

/** Written in the transaction of the change. */
export type AuditTables = { audit: { add: (entry: AuditEntry) => Promise<void> } }

/** What the service does of its own accord. */
export const itself = 'system'

/** A caller's name may be anything, so it is told apart from the service's own. */
export const actorOf = ({ name }: { name: string }): string => `caller:${name}`
