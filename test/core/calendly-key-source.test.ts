import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { elsewhere, openReplica, owner } from '../support/calendly-keys.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const hourMs = 3_600_000
const caller = { tenantId: 'default', name: 'operator', scopes: [] }
const keyless = { subject: undefined, begin: async () => {}, forget: async () => {} }

for (const kind of engines) {
  t.test(`the Calendly keys of a replica (${kind})`, async (t) => {
    const engine = await openTestEngine(t, kind)
    const { db } = engine
    const system = fakeSystem(tuesday)
    t.beforeEach(async () => {
      for (const table of ['calendly_keys', 'calendly_key_notices', 'audit_log']) {
        await sql`delete from ${sql.table(table)}`.execute(db)
      }
    })
    /** A replica as it is once it has loaded its keys. */
    async function start(environment: Record<string, string>, encryptionKey?: Buffer) {
      const replica = openReplica(engine, { system, environment, ...(encryptionKey && { encryptionKey }) })
      await replica.source.load()
      return replica
    }
    type Replica = Awaited<ReturnType<typeof start>>
    async function liveKey({ source }: Replica, name: string) {
      const key = (await source.load()).find((one) => one.name === name)
      if (!key) throw new Error(`there is no key ${name}`)
      return key
    }
    const accept = async (replica: Replica, name: string, by = owner) =>
      replica.source.accepted(await liveKey(replica, name), by)
    const kept = async (replica: Replica) =>
      (await replica.keys.list('default')).map(({ name, lastFour, state }) => `${name} ${lastFour} ${state}`)
    const audit = async () => {
      const { rows } = await sql<{ entry: string }>`
        select actor || ' ' || action || ' ' || subject as entry from audit_log order by id`.execute(db)
      return rows.map(({ entry }) => entry)
    }
    const add = async (replica: Replica, name: string, token: string) => {
      replica.accepted.set(token, owner)
      await replica.add(caller, { name, token }, keyless)
    }

    t.test('are those of its environment, kept without their tokens', async (t) => {
      const replica = await start({ primary: 'token-1111', secondary: 'token-2222' })
      t.match(await replica.source.load(), [
        { name: 'primary', token: 'token-1111', lastFour: '1111', state: 'pending', isInvalid: false },
        { name: 'secondary', token: 'token-2222', state: 'pending', user: undefined }
      ])
      t.same(await kept(replica), ['primary 1111 pending', 'secondary 2222 pending'])
      const { rows } = await sql<{ row: string }>`
        select row_to_json(calendly_keys)::text as row from calendly_keys`.execute(db)
      t.equal(rows.length, 2)
      t.notMatch(JSON.stringify(rows), /token-/)
      t.same(await audit(), ['system calendly_key.added primary', 'system calendly_key.added secondary'])
    })

    t.test('are verified once: another start finds what is known of them', async (t) => {
      const first = await start({ primary: 'token-1111' })
      t.equal(await accept(first, 'primary'), true)
      const { fingerprint } = await liveKey(first, 'primary')
      await first.source.used(new Map([[fingerprint, { count: 7, lastUsedAt: tuesday }]]))
      const again = await start({ primary: 'token-1111' })
      t.match(await again.source.load(), [{ state: 'active', ...owner, isInvalid: false }])
      t.match(await again.keys.list('default'), [{ usageCount: 7, createdAt: tuesday }])
      t.same(await audit(), ['system calendly_key.added primary', 'system calendly_key.accepted primary'])
    })

    t.test('are the same whichever of many replicas starts first', async (t) => {
      const environment = { primary: 'token-1111', secondary: 'token-2222' }
      const replicas = await Promise.all(Array.from({ length: 8 }, () => start(environment)))
      for (const replica of replicas) {
        t.same(await replica.tokens(), ['primary: token-1111', 'secondary: token-2222'])
        t.same(replica.lines, [])
      }
      t.equal((await audit()).length, 2)
    })

    t.test('begin anew with another token of the same name', async (t) => {
      const before = await start({ primary: 'token-1111' })
      await accept(before, 'primary')
      const { fingerprint } = await liveKey(before, 'primary')
      await before.source.used(new Map([[fingerprint, { count: 7, lastUsedAt: tuesday }]]))
      await before.source.refused(await liveKey(before, 'primary'))
      await system.sleep(hourMs)
      const after = await start({ primary: 'token-3333' })
      t.match(await after.keys.list('default'), [
        { lastFour: '3333', state: 'pending', user: undefined, invalidSince: undefined, usageCount: 0 }
      ])
      t.match(await after.keys.list('default'), [{ createdAt: system.now(), lastUsedAt: undefined }])
    })

    t.test('keep what is known of a token that moves to the other name', async (t) => {
      const before = await start({ primary: 'token-1111' })
      await accept(before, 'primary')
      const after = await start({ primary: 'token-3333', secondary: 'token-1111' })
      t.same(await kept(after), ['primary 3333 pending', 'secondary 1111 active'])
      const swapped = await start({ primary: 'token-1111', secondary: 'token-3333' })
      t.same(await kept(swapped), ['primary 1111 active', 'secondary 3333 pending'])
    })

    t.test('go when their token leaves the environment', async (t) => {
      const before = await start({ primary: 'token-1111', secondary: 'token-2222' })
      const after = await start({ primary: 'token-1111' })
      t.same(await kept(after), ['primary 1111 pending'])
      t.equal((await audit()).at(-1), 'system calendly_key.removed secondary')
      t.same(
        await before.tokens(),
        ['primary: token-1111', 'secondary: token-2222'],
        'a running one keeps its own'
      )
    })

    t.test('are each its own during a roll-out, and what is learned goes to the right one', async (t) => {
      const old = await start({ primary: 'token-1111' })
      await accept(old, 'primary')
      const late = await start({ primary: 'token-3333' })
      t.match(await old.source.load(), [{ token: 'token-1111', state: 'active', ...owner }])
      t.match(await late.source.load(), [{ token: 'token-3333', state: 'pending' }])

      const displaced = await liveKey(old, 'primary')
      await old.source.used(new Map([[displaced.fingerprint, { count: 5, lastUsedAt: tuesday }]]))
      await old.source.refused(displaced)
      t.match(await old.source.load(), [{ token: 'token-1111', isInvalid: true }])
      t.match(await late.source.load(), [{ token: 'token-3333', state: 'pending', isInvalid: false }])
      t.match(await late.keys.list('default'), [{ usageCount: 0, invalidSince: undefined }])
      t.equal(await old.source.accepted(displaced, owner), true)
      t.match(await old.source.load(), [{ token: 'token-1111', isInvalid: false }])
      t.match(await late.source.load(), [{ state: 'pending' }], 'not verified by another token')

      await accept(late, 'primary')
      t.match(await late.source.load(), [{ token: 'token-3333', state: 'active' }])
      t.same(await old.tokens(), ['primary: token-1111'])
    })

    t.test('that were displaced are probed once per interval all the same', async (t) => {
      const old = await start({ primary: 'token-1111' })
      await start({ primary: 'token-3333' })
      const key = await liveKey(old, 'primary')
      t.equal(await old.source.mayProbe(key, hourMs), true)
      t.equal(await old.source.mayProbe(key, hourMs), false)
      await system.sleep(hourMs)
      t.equal(await old.source.mayProbe(key, hourMs), true)
    })

    t.test('stay revoked until their token changes', async (t) => {
      const first = await start({ primary: 'token-1111', secondary: 'token-2222' })
      await first.revoke(caller, 'primary')
      t.same(await first.tokens(), ['secondary: token-2222'])
      t.same(await (await start({ primary: 'token-1111', secondary: 'token-2222' })).tokens(), [
        'secondary: token-2222'
      ])
      const moved = await start({ primary: 'token-2222', secondary: 'token-1111' })
      t.same(await moved.tokens(), ['primary: token-2222'], 'under another name too')
      const changed = await start({ primary: 'token-3333', secondary: 'token-2222' })
      t.same(await changed.tokens(), ['primary: token-3333', 'secondary: token-2222'])
      t.same(await first.tokens(), ['secondary: token-2222'], 'and no replica takes up the revoked one again')
    })

    t.test('are one key when a token is there twice', async (t) => {
      const replica = await start({ primary: 'token-1111', secondary: 'token-1111' })
      t.same(await replica.tokens(), ['primary: token-1111'])
      t.match(replica.lines, [{ level: 'warn', calendly_key: 'secondary' }])
      await add(replica, 'b', 'token-of-b')
      const after = await start({ primary: 'token-of-b' })
      t.same(await after.tokens(), ['b: token-of-b'], 'also with one of the API')
      await after.revoke(caller, 'b')
      const last = await start({ primary: 'token-of-b', secondary: 'token-2222' })
      t.same(await last.tokens(), ['secondary: token-2222'], 'and with it revoked')
    })

    t.test('of the API are the same on every replica, sealed in the database', async (t) => {
      const one = await start({ primary: 'token-1111' })
      const other = await start({ primary: 'token-1111' })
      await add(one, 'b', 'token-of-b')
      t.same(await other.tokens(), ['primary: token-1111', 'b: token-of-b'])
      const { rows } = await sql<{ token: Buffer }>`
        select token from calendly_keys where name = 'b'`.execute(db)
      t.notMatch(rows[0]?.token.toString('latin1'), 'token-of-b')
    })

    t.test('that cannot be decrypted are left out and named once, and the others work', async (t) => {
      const replica = await start({ primary: 'token-1111' })
      await add(replica, 'b', 'token-of-b')
      await add(replica, 'c', 'token-of-c')
      const stranger = await start({ primary: 'token-1111' }, randomBytes(32))
      t.same(await stranger.tokens(), ['primary: token-1111'])
      t.match(
        stranger.lines.map(({ level, calendly_key }) => `${level} ${calendly_key}`),
        ['error b', 'error c']
      )
      await sql`update calendly_keys set token = (select token from calendly_keys where name = 'b')
        where name = 'c'`.execute(db)
      t.same(
        await replica.tokens(),
        ['primary: token-1111', 'b: token-of-b'],
        'a seal opens for its name alone'
      )
      await sql`update calendly_keys set token = ''::bytea where name = 'b'`.execute(db)
      t.same(await replica.tokens(), ['primary: token-1111'])
    })

    t.test('of another organization are refused, and nothing of them is written', async (t) => {
      const replica = await start({ primary: 'token-1111', secondary: 'token-2222' })
      t.equal(await accept(replica, 'secondary', elsewhere), true, 'the first decides')
      t.equal(await accept(replica, 'primary', owner), false)
      t.same(await kept(replica), ['primary 1111 pending', 'secondary 2222 active'])
      await replica.revoke(caller, 'secondary')
      t.equal(await accept(replica, 'primary', owner), false, 'what was booked with it is there')
      const without = await start({ primary: 'token-1111' })
      t.equal(await accept(without, 'primary', owner), false, 'a revoked one is remembered')
    })

    t.test('of two organizations verified at once are decided for one', async (t) => {
      const environment = { primary: 'token-1111', secondary: 'token-2222' }
      const [one, other] = [await start(environment), await start(environment)]
      const answers = await Promise.all([
        accept(one, 'primary', owner),
        accept(other, 'secondary', elsewhere)
      ])
      t.equal(answers.filter(Boolean).length, 1)
    })

    t.test(
      'that Calendly refuses are said to be invalid once, and valid again when it accepts',
      async (t) => {
        const environment = { primary: 'token-1111' }
        const [one, other] = [await start(environment), await start(environment)]
        await accept(one, 'primary')
        const key = await liveKey(one, 'primary')
        await Promise.all([one, other, one, other].map(({ source }) => source.refused(key)))
        t.match(await other.source.load(), [{ state: 'active', isInvalid: true }])
        const warnings = [...one.lines, ...other.lines]
        t.match(warnings, [{ level: 'warn', calendly_key: 'primary', warning: 'invalid' }])
        t.equal(warnings.length, 1)
        t.equal(await other.source.mayProbe(key, hourMs), false, 'it has just been tried')
        t.equal(await other.source.mayProbe(key, 0), true)

        await other.source.accepted(key, owner)
        t.match(await one.source.load(), [{ state: 'active', isInvalid: false }])
        await system.sleep(1)
        await one.source.refused(key)
        const { rows } = await sql<{ kind: string; name: string }>`
        select kind, name from calendly_key_notices`.execute(db)
        t.same(rows, [
          { kind: 'invalid', name: 'primary' },
          { kind: 'invalid', name: 'primary' }
        ])
      }
    )

    t.test('are asked in their order, retiring ones last, revoked ones never', async (t) => {
      const replica = await start({ primary: 'token-1111' })
      for (const name of ['b', 'c', 'd']) await add(replica, name, `token-of-${name}`)
      replica.accepted.set('token-1111', owner)
      await replica.promote(caller, 'c')
      await replica.revoke(caller, 'd')
      t.same(await replica.tokens(), ['c: token-of-c', 'b: token-of-b', 'primary: token-1111'])
    })

    t.test('are none for a replica without tokens', async (t) => {
      const replica = await start({})
      t.same(await replica.source.load(), [])
    })
  })
}
