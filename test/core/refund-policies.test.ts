import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import { mergeChain } from '../../src/core/chain-merge.ts'
import { createId } from '../../src/core/ids.ts'
import { createRefundPolicies, policyOf, presentPolicy } from '../../src/core/refund-policies.ts'
import { defaultPolicy, type RefundPolicy } from '../../src/core/refund-policy.ts'
import { defaultSettings } from '../../src/core/settings.ts'
import { realSystem } from '../../src/core/system.ts'
import { findRefundPolicy, listRefundPolicies } from '../../src/database/refund-policies.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { aBooking, tuesday } from '../support/samples.ts'

type Policy = Booking['refundPolicy']

const caller = { tenantId: 'default', name: 'shop', scopes: [] }
const { version: _, ...plain } = defaultPolicy
const flat = (name: string, percentHundredths: number): Omit<RefundPolicy, 'version'> => ({
  ...plain,
  name,
  tiers: [{ noticeHours: 0, percentHundredths }]
})

for (const kind of engines) {
  t.test(`refund policies on ${kind}`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const transact = <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
      transaction((tx) => work(tablesOf(tx)))
    const reads = {
      list: (tenantId: string) => listRefundPolicies(db, tenantId),
      find: (tenantId: string, name: string, version?: number) =>
        findRefundPolicy(db, tenantId, name, version)
    }
    const policies = createRefundPolicies({ system: { now: () => tuesday }, transact, reads })

    t.test('who changed one is written down with it, once a version', async (t) => {
      for (const percent of [1, 2, 2]) await policies.put(caller, flat('audited', percent))
      const rows = await db.selectFrom('audit_log').selectAll().where('subject', '=', 'audited').execute()
      t.match(rows, [
        { actor: 'caller:shop', action: 'refund_policy.changed', at: tuesday, detail: { version: 1 } },
        { actor: 'caller:shop', action: 'refund_policy.changed', at: tuesday, detail: { version: 2 } }
      ])
      t.equal(rows.length, 2)
    })

    t.test('nothing is changed that cannot be written down', async (t) => {
      const failing = createRefundPolicies({
        ...{ system: { now: () => tuesday }, reads },
        transact: (work) =>
          transact((tables) => work({ ...tables, audit: { add: () => Promise.reject(new Error('full')) } }))
      })
      await t.rejects(failing.put(caller, flat('unwritten', 1)), { message: 'full' })
      t.equal(await reads.find('default', 'unwritten'), undefined)
    })

    t.test('another tenant has policies of its own', async (t) => {
      await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
      const other = { ...caller, tenantId: 'other' }
      await policies.put(caller, flat('ours', 1))
      await t.rejects(policies.get(other, 'ours'), { code: 'not_found' })
      t.same(await policies.list(other), [defaultPolicy])
      t.match(await policies.put(other, flat('ours', 2)), { version: 1 })
      t.match(await policies.get(caller, 'ours'), { version: 1, ...flat('ours', 1) })
    })

    t.test(
      'the built-in one may be replaced, and is still what older bookings were made under',
      async (t) => {
        const of = { tenantId: 'default', eventType: 'meeting' }
        t.same(await transact((tables) => presentPolicy(tables, 'default', 'meeting')), {
          ...{ name: 'default', version: 1 }
        })
        t.same(await policies.put(caller, plain), defaultPolicy, 'equal to the built-in one')
        const second = await policies.put(caller, flat('default', 7_700))
        t.equal(second.version, 2)
        t.equal((await policies.list(caller)).filter(({ name }) => name === 'default').length, 1)
        const former = { ...of, refundPolicy: { name: 'default', version: 1 } }
        t.same(await transact((tables) => policyOf(tables, former)), defaultPolicy)
        t.same(await transact((tables) => presentPolicy(tables, 'default', 'meeting')), {
          ...{ name: 'default', version: 2 }
        })
      }
    )

    t.test('a booking older than policies has the present one of its event type', async (t) => {
      await policies.put(caller, flat('strict', 1))
      const settings = { ...defaultSettings, refundPolicy: 'strict' }
      await transact((tables) => tables.settings.put('default', 'old-meeting', settings, tuesday))
      const old = { tenantId: 'default', eventType: 'old-meeting', refundPolicy: undefined }
      t.match(await transact((tables) => policyOf(tables, old)), { name: 'strict', version: 1 })
      const strict = await policies.put(caller, flat('strict', 2))
      t.same(await transact((tables) => policyOf(tables, old)), strict)
    })

    t.test('of two bookings that turn out to be one, the one that stays keeps its own', async (t) => {
      const merged = (own: Policy | undefined, other: Policy | undefined) =>
        transact(async (tables) => {
          const ids = [createId('bkg', realSystem), createId('bkg', realSystem)].toSorted()
          const [one, two] = ids.map((id, index) =>
            aBooking({
              ...{ id, status: 'confirmed', source: 'webhook', refundPolicy: index === 0 ? own : other },
              calendly: { event: `event-${id}`, invitee: `invitee-${id}` }
            })
          )
          if (!one || !two) throw new Error('there are two')
          await tables.bookings.insert(one)
          await tables.bookings.insert(two)
          return mergeChain(tables, { earlier: one, later: two, joint: `invitee-${one.id}` }, tuesday)
        })
      const strict = { name: 'strict', version: 1 }
      const newer = { name: 'strict', version: 2 }
      t.same((await merged(strict, newer))?.refundPolicy, strict)
      t.same((await merged(undefined, newer))?.refundPolicy, newer)
    })

    t.test('a version that has vanished is a bug, and no reason to guess', async (t) => {
      const lost = {
        tenantId: 'default',
        eventType: 'meeting',
        refundPolicy: { name: 'strict', version: 99 }
      }
      await t.rejects(
        transact((tables) => policyOf(tables, lost)),
        { message: /version 99 of the refund policy strict has vanished/ }
      )
    })
  })
}
