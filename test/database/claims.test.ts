import { sql } from 'kysely'
import t from 'tap'
import { claimsBetween, readClaims, sweepClaims } from '../../src/database/claims.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { minutes, openClaims } from '../support/claims.ts'
import { engines } from '../support/database.ts'
import { minuteMs } from '../support/samples.ts'

for (const kind of engines) {
  t.test(`claims on ${kind}`, async (t) => {
    const { engine, clear, take, release, hold, claimed } = await openClaims(t, kind)
    t.beforeEach(clear)

    t.test('of 200 at once for one range one wins, and the others leave nothing behind', async (t) => {
      const results = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          take({ startTime: minutes(n % 30), endTime: minutes(30 + (n % 7)) })
        )
      )
      t.equal(results.filter((hosts) => hosts !== undefined).length, 1)
      t.equal((await claimed()).length, 1)
    })

    t.test('are half-open: what ends as the other begins is in nobody’s way', async (t) => {
      t.same(await take(), ['ann'])
      t.same(await take({ startTime: minutes(30), endTime: minutes(60) }), ['ann'])
      t.same(await take({ startTime: minutes(-30), endTime: minutes(0) }), ['ann'])
      t.equal(await take({ startTime: minutes(59), endTime: minutes(61) }), undefined)
      t.same(await claimed(30, 60), [['ann', 30, 60]], 'and so is what is read')
    })

    t.test('refuse every kind of overlap on one host and none on another', async (t) => {
      await take({ startTime: minutes(10), endTime: minutes(40) })
      for (const [from, to] of [
        [10, 40],
        [0, 11],
        [39, 50],
        [20, 30],
        [0, 50]
      ] as const) {
        const range = { startTime: minutes(from), endTime: minutes(to) }
        t.equal(await take(range), undefined, `${from}–${to}`)
        t.same(await take({ ...range, hosts: ['bob'], session: 'shared' }), ['bob'])
      }
    })

    t.test('of a collective event take every host or none', async (t) => {
      await take({ hosts: ['bob'] })
      t.equal(await take({ hosts: ['ann', 'bob', 'cid'] }), undefined)
      t.same(await claimed(), [['bob', 0, 30]])
      t.same((await take({ hosts: ['cid', 'ann'] }))?.sort(), ['ann', 'cid'])
    })

    t.test('of a pool take its first free host, until there is none', async (t) => {
      const pool = { hosts: ['ann', 'bob'], mode: 'any' as const }
      t.same(await take(pool), ['ann'])
      t.same(await take(pool), ['bob'])
      t.equal(await take(pool), undefined)
    })

    t.test('of a pool are each won once by many at a time', async (t) => {
      const pool = { hosts: ['ann', 'bob', 'cid'], mode: 'any' as const }
      const results = await Promise.all(Array.from({ length: 40 }, () => take(pool)))
      t.same(results.flatMap((hosts) => hosts ?? []).sort(), ['ann', 'bob', 'cid'])
    })

    t.test('of crossing collectives never deadlock into an error', async (t) => {
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          take({ hosts: n % 2 === 0 ? ['ann', 'bob', 'cid'] : ['cid', 'bob', 'ann'] })
        )
      )
      t.equal(results.filter((hosts) => hosts !== undefined).length, 1)
    })

    t.test('of one session share its time and keep everybody else out', async (t) => {
      t.same(await take({ session: 'group@10' }), ['ann'])
      t.same(await take({ session: 'group@10' }), ['ann'])
      t.equal(await take({ session: 'group@11' }), undefined)
      t.equal(await take(), undefined)
    })

    t.test('of two tenants do not meet', async (t) => {
      await sql`insert into tenants (id, name) values ('other', 'other')`.execute(engine.db)
      await take()
      t.same(await take({ tenantId: 'other' }), ['ann'])
      t.same(await claimed(), [['ann', 0, 30]])
    })

    t.test('are free again when released, by owner and tenant', async (t) => {
      await take({ ownerId: 'bkg_mine' })
      await release('default', 'bkg_other')
      await release('other', 'bkg_mine')
      t.equal(await take(), undefined)
      await release('default', 'bkg_mine')
      t.same(await take(), ['ann'])
    })

    t.test('of a hold count until it expires', async (t) => {
      await hold(60)
      t.equal(await take(), undefined)
      t.equal((await claimed()).length, 1)
      await sql`update claims set expires_at = now() - interval '1 second'`.execute(engine.db)
      t.same(await claimed(), [], 'nobody sees it any more')
      t.same(await take(), ['ann'], 'and nobody is stopped by it')
    })

    t.test('of a hold say for how long they will be there', async (t) => {
      const validForMs = async () =>
        (await readClaims(engine.db, 'default', ['ann'], minutes(0), minutes(30))).validForMs
      t.equal(await validForMs(), Number.POSITIVE_INFINITY)
      await take({ startTime: minutes(20) })
      await take({ ownerId: 'hld_late', expiresInMs: 900_000, endTime: minutes(5) })
      await take({ ownerId: 'hld_soon', expiresInMs: 600_000, startTime: minutes(5), endTime: minutes(10) })
      const left = await validForMs()
      t.ok(left > 500_000 && left <= 600_000, `${left}`)
    })

    t.test('with buffers keep free what is before and after, and buffers add up', async (t) => {
      const buffers = { beforeMs: 10 * minuteMs, afterMs: 15 * minuteMs }
      t.same(await take({ buffers }), ['ann'])
      t.same(await claimed(-60), [['ann', -10, 45]])
      t.match(await claimsBetween(engine.db, 'default', ['ann'], minutes(40), minutes(41)), [
        { startTime: minutes(0), endTime: minutes(30), busyFrom: minutes(-10), busyTo: minutes(45) }
      ])
      const next = (from: number) => take({ startTime: minutes(from), endTime: minutes(from + 30), buffers })
      t.equal(await next(54), undefined, 'half an hour and 24 minutes later')
      t.same(await next(55), ['ann'], 'and 25, which are kept twice')
      t.equal(await take({ startTime: minutes(-30), endTime: minutes(-9) }), undefined)
      t.same(await take({ startTime: minutes(-30), endTime: minutes(-10) }), ['ann'])
    })

    t.test('of one appointment are released alone, and tell whose time it was', async (t) => {
      const later = { ownerId: 'bkg_mine', startTime: minutes(60), endTime: minutes(90) }
      await take({ ownerId: 'bkg_mine', hosts: ['ann', 'bob'] })
      await take(later)
      t.same((await release('default', 'bkg_mine', minutes(0))).toSorted(), ['ann', 'bob'])
      t.same(await claimed(), [['ann', 60, 90]])
      t.same(await release('default', 'bkg_mine', minutes(1)), [])
      t.same(await release('default', 'bkg_mine'), ['ann'])
    })

    t.test('of the version before are read and released as their whole range', async (t) => {
      await sql`insert into claims (tenant_id, host, owner_id, session, busy) values ('default', 'ann', 'bkg_old',
        'bkg_old', tstzrange(${new Date(minutes(0)).toISOString()}, ${new Date(minutes(30)).toISOString()}))`.execute(
        engine.db
      )
      t.match(await claimsBetween(engine.db, 'default', ['ann'], minutes(0), minutes(30)), [
        { ownerId: 'bkg_old', startTime: minutes(0), endTime: minutes(30), busyTo: minutes(30) }
      ])
      t.equal(await take(), undefined)
      t.same(await release('default', 'bkg_old', minutes(0)), ['ann'])
    })

    t.test('of a session tell its owners, the oldest first', async (t) => {
      for (const ownerId of ['bkg_2', 'bkg_1'])
        await take({ ownerId, session: 'group@0', hosts: ['ann', 'bob'] })
      await take({ ownerId: 'hld_1', session: 'group@0', expiresInMs: 60_000 })
      await take({ ownerId: 'hld_2', session: 'group@0', expiresInMs: -1 })
      t.same(await engine.transaction((tx) => tablesOf(tx).claims.ownersOf('default', 'group@0')), [
        { ownerId: 'bkg_2', isHold: false, isLeaving: false },
        { ownerId: 'bkg_1', isHold: false, isLeaving: false },
        { ownerId: 'hld_1', isHold: true, isLeaving: false }
      ])
    })

    t.test('are swept once they have ended or expired', async (t) => {
      await take({ startTime: Date.now() - 60 * minuteMs, endTime: Date.now() - minuteMs })
      await take({ startTime: Date.now() + 60 * minuteMs, endTime: Date.now() + 90 * minuteMs })
      await hold(-1)
      await sweepClaims(engine.db)
      const { rows } = await sql<{ n: number }>`select count(*) as n from claims`.execute(engine.db)
      t.same(rows, [{ n: 1 }])
    })
  })
}
