import { sql } from 'kysely'
import t from 'tap'
import { createAudit } from '../../src/database/audit.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { tuesday } from '../support/samples.ts'

for (const kind of engines) {
  t.test(`the audit log on ${kind} keeps what it is told with the change, or not at all`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const entry = {
      tenantId: 'default',
      at: tuesday,
      actor: 'caller:shop',
      action: 'calendly_key.added',
      subject: 'b',
      detail: { last_four: '1234' }
    }
    await transaction((tx) => createAudit(tx).add(entry))
    await t.rejects(
      transaction(async (tx) => {
        await createAudit(tx).add(entry)
        throw new Error('the change fails')
      })
    )
    const { rows } = await sql`
      select tenant_id as "tenantId", at, actor, action, subject, detail from audit_log`.execute(db)
    t.same(rows, [entry])
  })
}
