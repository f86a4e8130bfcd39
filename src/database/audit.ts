import type { Kysely } from 'kysely'
import type { AuditTables } from '../core/audit.ts'
import { instant } from './instant.ts'
import type { Tables } from './tables.ts'

export function createAudit(db: Kysely<Tables>): AuditTables['audit'] {
  return {
    async add({ tenantId, at, actor, action, subject, detail }) {
      await db
        .insertInto('audit_log')
        .values({
          tenant_id: tenantId,
          at: instant(at),
          actor,
          action,
          subject,
          detail: JSON.stringify(detail)
        })
        .execute()
    }
  }
}
