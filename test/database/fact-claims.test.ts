import t from 'tap'
import type { ClaimRequest } from '../../src/core/booking-tables.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { minutes, openClaims } from '../support/claims.ts'
import { engines } from '../support/database.ts'
import { minuteMs } from '../support/samples.ts'

for (const kind of engines) {
  t.test(`claims on ${kind}`, async (t) => {
    const { engine, clear, wish, take, takeFree, hold, claimed } = await openClaims(t, kind)
    t.beforeEach(clear)

    t.test('of a pool move out of the way to another host of it, or are given up', async (t) => {
      const pool = { hosts: ['ann', 'bob', 'cid'], mode: 'any' as const, startTime: minutes(0) }
      const moveAway = (ownerId: string, hosts: string[]) =>
        engine.transaction((tx) =>
          tablesOf(tx).claims.moveAway('default', { ownerId, startTime: minutes(0) }, hosts)
        )
      t.same(await take({ ...pool, ownerId: 'bkg_1' }), ['ann'])
      await take({ hosts: ['bob'], endTime: minutes(5) })
      t.equal(await moveAway('bkg_1', ['ann']), true)
      t.same(await claimed(), [
        ['bob', 0, 5],
        ['cid', 0, 30]
      ])
      t.equal(await moveAway('bkg_1', ['ann']), true, 'it is not there')
      t.equal((await claimed()).length, 2)
      await take({ ...pool, hosts: ['ann'], endTime: minutes(30) })
      t.equal(await moveAway('bkg_1', ['cid']), false)
      t.same(await claimed(), [
        ['ann', 0, 30],
        ['bob', 0, 5]
      ])
    })

    t.test('of a pool stay once its host is named', async (t) => {
      await take({ ownerId: 'bkg_1', hosts: ['ann', 'bob'], mode: 'any' })
      const { own, settled, moved } = await engine.transaction(async (tx) => {
        const { claims } = tablesOf(tx)
        const own = await claims.own('default', 'bkg_1', minutes(0))
        await claims.settle('default', 'bkg_1', minutes(0))
        const moved = await claims.moveAway('default', { ownerId: 'bkg_1', startTime: minutes(0) }, ['ann'])
        return { own, moved, settled: await claims.own('default', 'bkg_1', minutes(0)) }
      })
      t.same(own, [{ host: 'ann', isPool: true }])
      t.same(settled, [{ host: 'ann', isPool: false }])
      t.equal(moved, true, 'there was nothing to move')
      t.same(await claimed(), [['ann', 0, 30]])
    })

    t.test('say who is in a fact’s way, with what for', async (t) => {
      const buffers = { beforeMs: 0, afterMs: 10 * minuteMs }
      await take({ ownerId: 'bkg_1', hosts: ['ann', 'bob'], buffers })
      await take({ ownerId: 'bkg_2', session: 'group@60', startTime: minutes(60), endTime: minutes(90) })
      await hold(-1)
      await take({ ownerId: 'hld_2', hosts: ['cid', 'dan'], mode: 'any', expiresInMs: 60_000 })
      const inTheWay = (changes: Partial<ClaimRequest>) =>
        engine.transaction((tx) =>
          tablesOf(tx).claims.inTheWay(wish({ hosts: ['ann', 'bob', 'cid'], ...changes }))
        )
      const first = { startTime: minutes(0), endTime: minutes(30) }
      t.same(await inTheWay({}), [
        { ownerId: 'bkg_1', isPool: false, ...first },
        { ownerId: 'hld_2', isPool: true, ...first }
      ])
      t.same(await inTheWay({ startTime: minutes(40), endTime: minutes(60) }), [])
      t.match(await inTheWay({ startTime: minutes(39), endTime: minutes(61), session: 'group@60' }), [
        { ownerId: 'bkg_1' }
      ])
      t.same(await inTheWay({ ownerId: 'bkg_1', hosts: ['ann'] }), [], 'nobody is in his own')
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
  })
}
