import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { type Caller, scopes } from '../../src/core/callers.ts'
import { createCursors } from '../../src/core/cursor.ts'
import { secretPurpose } from '../../src/core/event-endpoint.ts'
import { createEventEndpoints } from '../../src/core/event-endpoints.ts'
import { createVault } from '../../src/core/vault.ts'
import { readEventEndpoints } from '../../src/database/event-endpoints.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'

const keyless = { subject: undefined, begin: async () => {}, forget: async () => {} }
const admin: Caller = { tenantId: 'default', name: 'admin', scopes }
const wanted = { url: 'https://shop.example.com/hook', types: ['booking.confirmed'] } as const

t.test('event endpoints', async (t) => {
  const { db, transact } = await openTables(t)
  const reads = readEventEndpoints(db)
  const vault = createVault(randomBytes(32))
  const endpoints = createEventEndpoints({
    system: fakeSystem(),
    transact,
    reads,
    vault,
    cursors: createCursors(randomBytes(32)),
    targets: { judge: async (text) => ({ kind: 'unresolved', url: new URL(text) }) }
  })

  t.test('a run that was cut short leaves no endpoint whose secret nobody has seen', async (t) => {
    const begun: string[] = []
    const cut = { ...keyless, begin: async (_: unknown, id: string) => void begun.push(id) }
    await endpoints.create(admin, wanted, cut)
    const resumed = await endpoints.create(admin, wanted, { ...cut, subject: begun[0] })
    const { endpoints: kept } = await endpoints.list(admin, { limit: 10 })
    t.same(
      kept.map(({ id }) => id),
      [resumed.id]
    )
    t.same(begun[1], resumed.id)
  })

  t.test('a secret is kept sealed, for its endpoint alone', async (t) => {
    const { secret, ...endpoint } = await endpoints.create(admin, wanted, keyless)
    const [sealed = Buffer.alloc(0)] = await reads.liveSecrets(endpoint.id)
    t.notOk(sealed.includes(secret))
    t.equal(vault.open(sealed, secretPurpose(endpoint)), secret)
    t.throws(() => vault.open(sealed, secretPurpose({ ...endpoint, id: 'ep_other' })))
    t.throws(() => vault.open(sealed, secretPurpose({ ...endpoint, tenantId: 'other' })))
  })

  t.test(
    'what an endpoint failed at before is forgotten at a new URL, and when it is enabled again',
    async (t) => {
      const { id } = await endpoints.create(admin, wanted, keyless)
      const fail = () => sql`update event_endpoints set failing_since = now() where id = ${id}`.execute(db)
      const isFailing = async () => (await endpoints.get(admin, id)).failingSince !== undefined
      await fail()
      await endpoints.change(admin, id, { description: 'still there' })
      t.equal(await isFailing(), true)
      await endpoints.change(admin, id, { url: 'https://shop.example.com/other' })
      t.equal(await isFailing(), false)
      await fail()
      await endpoints.change(admin, id, { disabled: true })
      t.equal(await isFailing(), true)
      await endpoints.change(admin, id, { disabled: false })
      t.equal(await isFailing(), false)
    }
  )
})
