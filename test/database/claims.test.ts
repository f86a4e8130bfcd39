import { sql } from 'kysely'
import t from 'tap'
import type { ClaimRequest } from '../../src/core/booking-tables.ts'
import { claimsBetween, sweepClaims } from '../../src/database/claims.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { minuteMs, tuesday } from '../support/samples.ts'

const minutes = (n: number) => tuesday + n * minuteMs

for (const kind of engines) {
  t.test(`claims on ${kind}`, async (t) => {
    const engine = await openTestEngine(t, kind)
    let owners = 0
    t.beforeEach(async () => {
      await sql`delete from claims`.execute(engine.db)
    })

    const wish = (changes: Partial<ClaimRequest> = {}): ClaimRequest => {
      const ownerId = changes.ownerId ?? `bkg_${++owners}`
      return {
        tenantId: 'default',
        ownerId,
        session: ownerId,
        hosts: ['ann'],
        mode: 'all',
        startTime: minutes(0),
        endTime: minutes(30),
        ...changes
      }
    }
    /** In a transaction that is given up when the claim fails, as booking does. */
    const take = (changes?: Partial<ClaimRequest>) =>
      engine
        .transaction(async (tx) => {
          const hosts = await tablesOf(tx).claims.take(wish(changes))
          if (!hosts) throw new Refused()
          return hosts
        })
        .catch((error) => {
          if (error instanceof Refused) return undefined
          throw error
        })
    const takeFree = (changes?: Partial<ClaimRequest>) =>
      engine.transaction((tx) => tablesOf(tx).claims.takeFree(wish(changes)))
    const release = (tenantId: string, ownerId: string) =>
      engine.transaction((tx) => tablesOf(tx).claims.release(tenantId, ownerId))
    /** A hold of ann's half hour that ends `seconds` from the database's now. */
    const hold = (seconds: number) =>
      sql`insert into claims (tenant_id, host, owner_id, session, busy, expires_at)
        select tenant_id, host, 'hld_1', 'hld_1', busy, now() + ${seconds} * interval '1 second' from
          (select ${'default'} as tenant_id, ${'ann'} as host,
            tstzrange(${new Date(minutes(0)).toISOString()}, ${new Date(minutes(30)).toISOString()}) as busy) wish`.execute(
        engine.db
      )
    /** Who claims what, in minutes from the start. */
    const claimed = async (from = 0, to = 300, hosts = ['ann', 'bob', 'cid']) =>
      (await claimsBetween(engine.db, 'default', hosts, minutes(from), minutes(to)))
        .map((claim) => [
          claim.host,
          (claim.startTime - tuesday) / minuteMs,
          (claim.endTime - tuesday) / minuteMs
        ])
        .sort()

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

    t.test('for a fact take what is free of its range and say whether that was all', async (t) => {
      t.equal(await takeFree(), true)
      t.equal(await takeFree({ startTime: minutes(-10), endTime: minutes(50) }), false)
      t.same(await claimed(-60), [
        ['ann', -10, 0],
        ['ann', 0, 30],
        ['ann', 30, 50]
      ])
      t.equal(
        await takeFree({ startTime: minutes(5), endTime: minutes(10) }),
        false,
        'even where that is nothing'
      )
      t.equal((await claimed(-60)).length, 3)
    })

    t.test('for a fact judge each host by itself', async (t) => {
      await take({ hosts: ['bob'], startTime: minutes(0), endTime: minutes(10) })
      t.equal(await takeFree({ hosts: ['ann', 'bob'] }), false)
      t.same(await claimed(), [
        ['ann', 0, 30],
        ['bob', 0, 10],
        ['bob', 10, 30]
      ])
    })

    t.test('for a fact share the time of its session', async (t) => {
      await take({ session: 'group@10' })
      t.equal(await takeFree({ session: 'group@10' }), true)
    })

    t.test('for facts that come at once overlap nowhere and cover everything', async (t) => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, n) => takeFree({ startTime: minutes(n), endTime: minutes(n + 30) }))
      )
      t.ok(results.includes(true))
      const parts = (await claimed()).map(([, from = 0, to = 0]) => [Number(from), Number(to)])
      parts.sort(([a = 0], [b = 0]) => a - b)
      t.equal(parts[0]?.[0], 0)
      t.equal(parts.at(-1)?.[1], 49)
      t.ok(
        parts.slice(1).every(([from], n) => from === parts[n]?.[1]),
        'each begins where the one before it ends'
      )
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

class Refused extends Error {}
