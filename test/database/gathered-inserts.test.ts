import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { Delivery } from '../../src/core/deliveries.ts'
import { AppError } from '../../src/core/errors.ts'
import { realSystem } from '../../src/core/system.ts'
import { findDelivery, insertDeliveries } from '../../src/database/deliveries.ts'
import { createGatheredInserts } from '../../src/database/gathered-inserts.ts'
import { engines, openReplicas } from '../support/database.ts'
import { tuesday } from '../support/samples.ts'

function delivery(name: string, { id = `dlv_${name}`, ...changes }: Partial<Delivery> = {}): Delivery {
  const body = Buffer.from(`{"name":"${name}"}`)
  const digest = createHash('sha256').update(body).digest()
  const kept = { body, digest, signedAt: tuesday, status: 'received' as const, attempts: 0 }
  return { id, tenantId: 'default', ...kept, ...changes }
}

/** A store that answers when told to, on a machine whose time passes when told to. */
function held({ statements = 1 } = {}) {
  const sent: { names: string[]; answer: ReturnType<typeof Promise.withResolvers<ReadonlySet<string>>> }[] =
    []
  let now = 0
  let tick = () => {}
  const { insert } = createGatheredInserts({
    statements,
    store: (deliveries) => {
      const answer = Promise.withResolvers<ReadonlySet<string>>()
      sent.push({ names: deliveries.map(({ id }) => id), answer })
      return answer.promise
    },
    system: {
      now: () => now,
      sleep: () =>
        new Promise((resolve) => {
          tick = resolve
        })
    }
  })
  const results: Record<string, unknown> = {}
  return {
    sent,
    results,
    insert: (name: string, changes: Partial<Delivery> = {}) => {
      void insert(delivery(name, changes)).then(
        (isNew) => {
          results[name] = isNew
        },
        (error) => {
          results[name] = error instanceof AppError ? error.code : error.message
        }
      )
    },
    /** All are new. */
    answer: (index: number) => sent[index]?.answer.resolve(new Set(sent[index]?.names)),
    fail: (index: number, error: Error) => sent[index]?.answer.reject(error),
    pass: (ms: number) => {
      now += ms
      tick()
    }
  }
}

/** Whatever can happen without waiting for anybody has happened. */
const settled = async () => {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve))
}

t.test('gathering', async (t) => {
  t.test('what arrives while a statement runs goes into the next one', async (t) => {
    const { insert, sent, answer, results } = held()
    for (const name of ['a', 'b']) insert(name)
    await settled()
    for (const name of ['c', 'd', 'e']) insert(name)
    await settled()
    t.same(
      sent.map(({ names }) => names),
      [['dlv_a', 'dlv_b']],
      'what came in one turn goes together'
    )
    t.same(results, {}, 'nobody is answered before the commit')
    answer(0)
    await settled()
    t.same(results, { a: true, b: true })
    t.same(sent[1]?.names, ['dlv_c', 'dlv_d', 'dlv_e'])
  })

  t.test('as many statements run at once as may', async (t) => {
    const { insert, sent, answer, results } = held({ statements: 2 })
    for (const name of ['a', 'b', 'c', 'd']) {
      insert(name)
      await settled()
    }
    t.equal(sent.length, 2)
    answer(1)
    await settled()
    t.same(results, { b: true })
    t.same(sent[2]?.names, ['dlv_c', 'dlv_d'])
  })

  t.test('no statement has more than 200 rows or, but for a single one, 4 MB', async (t) => {
    const { insert, sent, answer } = held()
    for (let n = 0; n < 250; n++) insert(`small${n}`)
    for (let n = 0; n < 20; n++) insert(`large${n}`, { body: Buffer.alloc(256 * 1024) })
    insert('huge', { body: Buffer.alloc(5 * 1024 * 1024) })
    for (let n = 0; n < 5; n++) {
      await settled()
      answer(n)
    }
    await settled()
    t.same(
      sent.map(({ names }) => names.length),
      [200, 65, 5, 1]
    )
  })

  t.test('a row that makes the statement fail fails alone', async (t) => {
    const { insert, sent, answer, fail, results } = held()
    for (const name of ['a', 'bad', 'c']) insert(name)
    await settled()
    fail(0, new Error('poison'))
    await settled()
    t.same(results, {})
    answer(1)
    await settled()
    fail(2, new Error('poison'))
    await settled()
    answer(3)
    await settled()
    t.same(
      sent.map(({ names }) => names.length),
      [3, 1, 1, 1]
    )
    t.same(results, { a: true, bad: 'poison', c: true })
  })

  t.test('a database that is away fails all of them at once, and those after them are tried', async (t) => {
    const { insert, sent, answer, fail, results } = held()
    for (const name of ['a', 'b']) insert(name)
    await settled()
    insert('c')
    fail(0, new AppError('database_unavailable'))
    await settled()
    t.same(results, { a: 'database_unavailable', b: 'database_unavailable' })
    t.equal(sent.length, 2)
    answer(1)
    await settled()
    t.match(results, { c: true })
  })

  t.test('one that goes away in the middle of single rows fails the rest of them', async (t) => {
    const { insert, sent, answer, fail, results } = held()
    for (const name of ['a', 'b', 'c']) insert(name)
    await settled()
    fail(0, new Error('poison'))
    await settled()
    answer(1)
    await settled()
    fail(2, new AppError('database_unavailable'))
    await settled()
    t.same(results, { a: true, b: 'database_unavailable', c: 'database_unavailable' })
    t.equal(sent.length, 3)
  })

  t.test('nobody waits for a database that hangs, nor for those that wait for it', async (t) => {
    const { insert, sent, answer, pass, results } = held({ statements: 2 })
    insert('a')
    await settled()
    pass(3_000)
    for (const name of ['b', 'c']) {
      insert(name)
      await settled()
    }
    pass(3_999)
    await settled()
    t.same(results, {})
    pass(1)
    await settled()
    t.same(results, { a: 'database_unavailable' }, 'the other statement may still end')
    pass(3_000)
    await settled()
    t.match(results, { b: 'database_unavailable', c: 'database_unavailable' })
    insert('d')
    await settled()
    t.match(results, { d: 'database_unavailable' }, 'while it hangs, at once')
    t.equal(sent.length, 2)
    answer(0)
    await settled()
    insert('e')
    await settled()
    answer(2)
    await settled()
    t.match(results, { a: 'database_unavailable', e: true })
  })

  t.test('what waits is bounded, by number and by size', async (t) => {
    for (const [most, body] of [
      [5_000, Buffer.from('small')],
      [256, Buffer.alloc(256 * 1024)]
    ] as const) {
      const { insert, results } = held()
      insert('first')
      await settled()
      for (let n = 0; n < most; n++) insert(`waits${n}`, { body, digest: Buffer.from(String(n)) })
      await settled()
      t.same(results, {})
      insert('one more')
      await settled()
      t.same(results, { 'one more': 'database_unavailable' })
    }
  })
})

for (const kind of engines) {
  t.test(`gathered inserts on ${kind}`, async (t) => {
    const replicas = await openReplicas(t, kind)
    const { db } = replicas[0]
    let statements = 0
    const [one, other] = replicas.map((replica) =>
      createGatheredInserts({
        statements: kind === 'embedded' ? 1 : 2,
        store: (deliveries) => {
          statements++
          return insertDeliveries(replica.db, deliveries)
        },
        system: realSystem
      })
    ) as [ReturnType<typeof createGatheredInserts>, ReturnType<typeof createGatheredInserts>]
    const count = async () => {
      const { rows } = await sql<{ n: number }>`select count(*)::int as n from deliveries`.execute(db)
      return rows[0]?.n
    }
    t.beforeEach(async () => {
      await sql`delete from deliveries`.execute(db)
      statements = 0
    })

    t.test('are there when they are acknowledged, in fewer statements than rows', async (t) => {
      const names = Array.from({ length: 500 }, (_, n) => `row${n}`)
      const found = await Promise.all(
        names.map(async (name) => {
          const isNew = await one.insert(delivery(name))
          const { body, digest } = delivery(name)
          const { rows } = await sql<{ body: Buffer }>`
            select body from deliveries where digest = ${digest}`.execute(replicas[1].db)
          return isNew && rows[0]?.body.equals(body)
        })
      )
      t.ok(found.every((isThere) => isThere === true))
      t.equal(await count(), 500)
      t.ok(statements <= 10, `${statements} statements`)
    })

    t.test('tell new ones from copies, within one statement too', async (t) => {
      await one.insert(delivery('known'))
      const sent = [
        ...Array.from({ length: 10 }, (_, n) => delivery('twin', { id: `dlv_twin${n}` })),
        delivery('known', { id: 'dlv_copy' }),
        delivery('new')
      ]
      const answers = await Promise.all(sent.map((each) => one.insert(each)))
      t.equal(answers.slice(0, 10).filter(Boolean).length, 1)
      t.same(answers.slice(10), [false, true])
      t.equal(statements, 2)
      t.equal(await count(), 3)
    })

    t.test('of one that the database refuses, the others are kept', async (t) => {
      const sent = [
        delivery('a'),
        delivery('stranger', { tenantId: 'nobody' }),
        delivery('b'),
        delivery('unfit', { event: 'half a \ud800 character \0' }),
        delivery('c')
      ]
      const results = await Promise.allSettled(sent.map((each) => one.insert(each)))
      t.same(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']
      )
      t.equal(await count(), 3)
    })

    t.test(
      'of copies on two replicas in any order each is counted once, and none waits for ever',
      async (t) => {
        for (let round = 1; round <= 5; round++) {
          const names = Array.from({ length: 200 }, (_, n) => `shared${n} in round ${round}`)
          const all = await Promise.all([
            ...names.map((name) => one.insert(delivery(name, { id: `dlv_1_${name}` }))),
            ...names.toReversed().map((name) => other.insert(delivery(name, { id: `dlv_2_${name}` })))
          ])
          t.equal(all.filter(Boolean).length, 200)
          t.equal(await count(), round * 200)
        }
        t.ok(statements <= 20, `${statements} statements: after a deadlock each row would be tried alone`)
      }
    )

    t.test('come back as they were sent', async (t) => {
      const body = Buffer.from([0, 1, 255, 13, 10, 0x5c])
      const whole = delivery('whole', {
        body,
        slot: 'slot',
        event: 'it\'s \\ "odd" é',
        subject: 'a subject',
        status: 'quarantined',
        reason: 'stale'
      })
      await one.insert(whole)
      t.same(await findDelivery(db, 'default', whole.digest), { status: 'quarantined', reason: 'stale' })
      const row = await db.selectFrom('deliveries').selectAll().executeTakeFirst()
      t.match(row, {
        body,
        slot: 'slot',
        event: 'it\'s \\ "odd" é',
        subject: 'a subject',
        signed_at: tuesday
      })
    })
  })
}
