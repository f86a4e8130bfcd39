import t from 'tap'
import type { BookingTables } from '../../src/core/booking-tables.ts'
import { createClaimChanges } from '../../src/database/claim-changes.ts'

const tables = {
  take: async () => ['HOST'],
  release: async () => [],
  ownersOf: async () => []
} as unknown as BookingTables['claims']

t.test(
  'a transaction counts once that took time or gave it back, and only when it is committed',
  async (t) => {
    const { count, during } = createClaimChanges()
    const claim = { tenantId: 'default' } as Parameters<typeof tables.take>[0]
    t.same(await during((watch) => watch(tables).take(claim)), ['HOST'])
    t.equal(count(), 1)
    await during(async (watch) => {
      await watch(tables).release('default', 'hld_1')
      await watch(tables).take(claim)
      t.equal(count(), 1, 'not before its end')
    })
    t.equal(count(), 2)
    await during((watch) => watch(tables).ownersOf('default', 'session'))
    await during(async () => {})
    t.equal(count(), 2, 'a look changes nothing')
    await t.rejects(
      during(async (watch) => {
        await watch(tables).take(claim)
        throw new Error('somebody else was faster')
      })
    )
    t.equal(count(), 2, 'nor does what is rolled back')
  }
)
