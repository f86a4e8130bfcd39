import { sql } from 'kysely'
import t from 'tap'
import { realSystem } from '../../src/core/system.ts'
import { type Answer, rememberWhileUnchanged } from '../../src/database/unchanged.ts'
import { engines, migrationFiles, openTestEngine } from '../support/database.ts'
import { fakeSystem } from '../support/system.ts'

const rows = { '0001_rows.sql': 'create table rows (id int primary key)' }

for (const kind of engines) {
  t.test(`a read that may be remembered (${kind})`, async (t) => {
    const migrations = await migrationFiles(t, rows)
    const { db, transaction, changes } = await openTestEngine(t, kind, { migrations })
    let reads = 0
    const read = rememberWhileUnchanged(realSystem, changes, async (least: number) => {
      reads++
      const found = await sql<{ id: number }>`select id from rows where id >= ${least} order by id`.execute(
        db
      )
      return { rows: found.rows.map(({ id }) => id), validForMs: Number.POSITIVE_INFINITY }
    })

    t.test('is answered as the database would answer it, after every kind of change', async (t) => {
      const statements = [
        'insert into rows values (1), (2)',
        'update rows set id = id + 10',
        'with gone as (delete from rows where id = 11 returning id) select id from gone',
        '  -- a remark\n insert into rows values (3)',
        'truncate rows'
      ]
      const found = [await read(0)]
      for (const statement of statements) {
        await sql.raw(statement).execute(db)
        found.push(await read(0))
      }
      t.same(found, [[], [1, 2], [11, 12], [12], [3, 12], []])
    })

    t.test('knows of a change once it is committed, and no sooner', async (t) => {
      const inserted = Promise.withResolvers<void>()
      const asked = Promise.withResolvers<void>()
      const committed = transaction(async (tx) => {
        await sql`insert into rows values (5)`.execute(tx)
        inserted.resolve()
        await asked.promise
      })
      await inserted.promise
      const meanwhile = read(5)
      if (kind === 'postgresql') t.same(await meanwhile, [])
      asked.resolve()
      await committed
      // The embedded engine has one connection: it was the transaction's, and the read waited for its end.
      if (kind === 'embedded') t.same(await meanwhile, [5])
      t.same(await read(5), [5])
      await transaction(async (tx) => {
        await sql`delete from rows`.execute(tx)
        throw new Error('undone')
      }).catch(() => {})
      t.same(await read(5), [5])
    })

    t.test('is asked for once while nothing changes, of the embedded engine', async (t) => {
      await read(0)
      reads = 0
      for (let n = 0; n < 10; n++) t.same(await read(0), [5])
      t.equal(reads, kind === 'embedded' ? 0 : 10)
      t.same(await read(6), [])
    })
  })
}

t.test('what was read while something changed is not remembered', async (t) => {
  let changes = 0
  const answers: PromiseWithResolvers<Answer<number>>[] = []
  const read = rememberWhileUnchanged(
    fakeSystem(),
    () => changes,
    () => {
      const answer = Promise.withResolvers<Answer<number>>()
      answers.push(answer)
      return answer.promise
    }
  )
  const before = read()
  changes++
  answers[0]?.resolve({ rows: [1], validForMs: 1000 })
  t.same(await before, [1])
  const after = read()
  answers[1]?.resolve({ rows: [2], validForMs: 1000 })
  t.same(await after, [2])
  t.same(await read(), [2])
  t.equal(answers.length, 2)
})

t.test('what time alone changes is asked for again once it has, to the millisecond', async (t) => {
  const clock = fakeSystem()
  let reads = 0
  const read = rememberWhileUnchanged(
    clock,
    () => 0,
    async () => ({ rows: [++reads], validForMs: reads === 1 ? 250 : Number.POSITIVE_INFINITY })
  )
  t.same(await read(), [1])
  await clock.sleep(249)
  t.same(await read(), [1])
  await clock.sleep(1)
  t.same(await read(), [2])
  await clock.sleep(1e9)
  t.same(await read(), [2])
})
