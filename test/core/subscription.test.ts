import { sql } from 'kysely'
import t from 'tap'
import { essentialEvents, isHealthy, subscriptionLease } from '../../src/core/subscription.ts'
import { createVault } from '../../src/core/vault.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { callbackUrl, guardOver } from './support/guarded.ts'

const dayMs = 86_400_000
const embedded = await openTestEngine(t)
const opened = await Promise.all(
  engines.map(async (kind) => ({
    kind,
    engine: kind === 'embedded' ? embedded : await openTestEngine(t, kind)
  }))
)
const slotUrl = new RegExp(`^${callbackUrl}/[0-9a-f]{32}$`)

t.test('the first one is made on the bare path with the key of the environment', async (t) => {
  const { check, calendly, report, gaps, eventTypes, slotStates } = await guardOver(embedded)
  calendly.add({ callbackUrl: 'https://somebody.else/api/webhooks/calendly' })
  calendly.add({ callbackUrl: `${callbackUrl}-of-somebody-else` })
  await check()
  t.match(calendly.hooks.at(-1), { callbackUrl, state: 'active' })
  t.equal(calendly.keys.get(callbackUrl), 'environment')
  t.same(calendly.calls, ['list', 'list', 'create', 'list'])
  t.match(await report(), { state: 'active', callbackUrl, slot: undefined, uri: calendly.hooks.at(-1)?.uri })
  t.same([await gaps(), await eventTypes(), await slotStates()], [[], [], []], 'nothing was missed before')
})

t.test('one that is there and active is left alone, with one call', async (t) => {
  const { check, calendly, report, system } = await guardOver(embedded)
  calendly.add()
  for (let look = 0; look < 3; look++) {
    await system.sleep(60_000)
    await check()
    t.match(await report(), { state: 'active', checkedAt: system.now() })
  }
  t.same(calendly.calls, ['list', 'list', 'list'])
})

t.test('one in the scope of the user is as good', async (t) => {
  const { check, calendly } = await guardOver(embedded)
  calendly.add({ scope: 'user' })
  await check()
  t.same(calendly.calls, ['list', 'list'])
})

for (const { kind, engine } of opened) {
  t.test(`one that Calendly has disabled is replaced on a path of its own (${kind})`, async (t) => {
    const guarded = await guardOver(engine)
    const { check, calendly, report, system, gaps, eventTypes, slotStates, audit, slots } = guarded
    calendly.add()
    await check()
    const since = system.now() - 2 * dayMs
    calendly.change({ state: 'disabled', retryStartedAt: since })
    calendly.calls.length = 0
    await check()
    t.same(calendly.calls, ['list', 'list', 'create', 'list', 'delete'])
    t.equal(calendly.hooks.length, 1)
    const [{ callbackUrl: url = '' } = {}] = calendly.hooks
    t.match(url, slotUrl)
    const slot = url.split('/').at(-1) ?? ''
    t.match(await report(), { state: 'active', slot, callbackUrl: url, keyCreatedAt: system.now() })
    t.same((await slots.recipient(slot))?.signingKeys, [calendly.keys.get(url)])
    t.not(calendly.keys.get(url), 'environment')
    t.same(await gaps(), [since - dayMs], 'what was missed is looked for, from a day before')
    t.same(await eventTypes(), ['failing', 'restored'])
    t.same(await slotStates(), ['live'])
    t.same(await audit(), ['signing_key.added by system'])

    await check()
    t.same([await gaps(), await eventTypes()], [[since - dayMs], ['failing', 'restored']], 'once')
    calendly.change({ state: 'disabled', retryStartedAt: system.now() })
    await check()
    t.match(calendly.hooks, [{ callbackUrl: slotUrl }])
    t.not(calendly.hooks[0]?.callbackUrl, url)
    t.same(await slotStates(), ['retiring', 'live'])
    t.ok(await slots.recipient(slot), 'the key before still verifies what Calendly repeats')
  })

  t.test(`whose turn is over writes and removes nothing (${kind})`, async (t) => {
    const { calendly, checkAt, check, leases, epoch, report, slotStates } = await guardOver(engine)
    calendly.add()
    await check()
    const ended = await epoch()
    await leases.release(subscriptionLease, ended)
    await leases.take(subscriptionLease, 'somebody else', 30_000)

    calendly.add({ callbackUrl: `${callbackUrl}/${'f'.repeat(32)}` })
    await t.rejects(checkAt(ended), { code: 'calendly_unavailable' })
    t.equal(calendly.hooks.length, 2)
    calendly.change({ state: 'disabled' })
    await t.rejects(checkAt(ended), { code: 'calendly_unavailable' })
    t.same([await slotStates(), (await report())?.state], [[], 'active'])
    t.notOk(calendly.calls.includes('create'))
  })
}

t.test('an answer that is lost, and a copy that cannot be seen, still end with one', async (t) => {
  const { check, calendly, setStep } = await guardOver(embedded)
  setStep(async (name, take) => {
    const taken = await take()
    if (name === 'create') throw new Error('the answer is lost')
    return taken
  })
  await check()
  t.equal(calendly.hooks.length, 1, 'found by looking')

  const hidden = await guardOver(embedded)
  hidden.calendly.add({ scope: 'group' })
  hidden.setStep(async (name, take) => {
    const taken = await take()
    return name === 'list'
      ? ((taken as { scope: string }[]).filter((one) => one.scope !== 'group') as never)
      : taken
  })
  await hidden.check()
  t.match(hidden.calendly.hooks.at(-1)?.callbackUrl, slotUrl, 'on a path where there is none')
})

t.test(
  'one that somebody has deleted comes back on its path, and what was missed is looked for',
  async (t) => {
    const { check, calendly, system, gaps, eventTypes, rotate, report } = await guardOver(embedded)
    await check()
    const lastSeen = system.now()
    await system.sleep(60_000)
    calendly.hooks.length = 0
    await check()
    t.match(calendly.hooks, [{ callbackUrl }])
    t.same(await gaps(), [lastSeen - dayMs])
    t.same(await eventTypes(), ['restored'])

    await rotate()
    const slot = (await report())?.slot
    calendly.hooks.length = 0
    await check()
    t.equal((await report())?.slot, slot)
  }
)

t.test('one that lacks an event is replaced, before it goes', async (t) => {
  const { check, calendly, gaps } = await guardOver(embedded)
  calendly.add({ events: essentialEvents.slice(0, 2) })
  await check()
  t.same(calendly.calls, ['list', 'list', 'create', 'list', 'delete'])
  t.match(calendly.hooks, [{ callbackUrl: slotUrl }])
  t.equal((await gaps()).length, 1)
})

t.test('of several that are active the newest stays, and slots without one retire', async (t) => {
  const { check, calendly, rotate, report, slotStates } = await guardOver(embedded)
  await check()
  const { slot: first } = await rotate()
  const { slot: second } = await rotate()
  calendly.add({ callbackUrl: `${callbackUrl}/${first}` })
  calendly.add()
  calendly.add({ callbackUrl: `${callbackUrl}/${'f'.repeat(32)}` })
  await check()
  t.match(calendly.hooks, [{ callbackUrl: `${callbackUrl}/${second}` }])
  t.equal((await report())?.slot, second)
  t.same(await slotStates(), ['retiring', 'live'])
})

t.test('that deliveries fail is told once for each occasion', async (t) => {
  const { check, calendly, eventTypes, report } = await guardOver(embedded)
  calendly.add()
  await check()
  calendly.change({ retryStartedAt: 1_000 })
  for (let look = 0; look < 3; look++) await check()
  const failing = await report()
  t.match(failing, { state: 'active', retryStartedAt: 1_000 })
  t.equal(failing && isHealthy(failing), false)
  t.same(await eventTypes(), ['failing'])
  calendly.change({ retryStartedAt: undefined })
  await check()
  calendly.change({ retryStartedAt: 2_000 })
  for (let look = 0; look < 2; look++) await check()
  t.same(await eventTypes(), ['failing', 'failing'])
})

t.test('a rotation while deliveries fail makes up for what Calendly will not repeat', async (t) => {
  const { check, calendly, rotate, gaps, eventTypes, audit } = await guardOver(embedded)
  calendly.add()
  await check()
  calendly.change({ retryStartedAt: 10 * dayMs })
  await rotate()
  t.same(await gaps(), [9 * dayMs])
  t.same(await eventTypes(), ['failing', 'restored'])
  t.same(await audit(), ['signing_key.added by caller:ops'])
  await rotate()
  t.same((await audit()).slice(1), ['signing_key.added by caller:ops', 'signing_key.retired by caller:ops'])
})

t.test('while Calendly is away the report stays with its time, and what it says is not lost', async (t) => {
  const { check, calendly, report, system, setStep, gaps, slotStates } = await guardOver(embedded)
  calendly.add()
  await check()
  const before = await report()
  await system.sleep(60_000)
  const away = (names: string[]) =>
    setStep((name, take) => (names.includes(name) ? Promise.reject(new Error('away')) : take()))
  away(['list'])
  await t.rejects(check(), { message: 'away' })
  t.same(await report(), before)

  calendly.hooks.length = 0
  away(['create'])
  for (let look = 0; look < 3; look++) await t.rejects(check(), { message: 'away' })
  t.match(await report(), { state: 'missing', missedSince: before?.checkedAt, checkedAt: system.now() })
  t.same([await gaps(), await slotStates()], [[], []])

  away([])
  await check()
  t.same(await gaps(), [(before?.checkedAt ?? 0) - dayMs])

  calendly.change({ state: 'disabled' })
  away(['create'])
  for (let look = 0; look < 3; look++) await t.rejects(check(), { message: 'away' })
  t.same(await slotStates(), ['live'], 'the slot that was begun is used until it works')
  away(['delete'])
  await t.rejects(check(), { message: 'away' })
  t.equal((await report())?.state, 'active', 'the new one works, whatever becomes of the old one')
  away([])
  await check()
  t.equal(calendly.hooks.length, 1)
})

t.test('a key opens on its own slot only, and moves under the new encryption key', async (t) => {
  const { check, rotate, slots, slotsUnder, encryptionKey, db, system } = await guardOver(embedded)
  await check()
  const { slot: one = '' } = await rotate()
  const { slot: two = '' } = await rotate()
  const keys = await Promise.all([one, two].map(async (slot) => (await slots.recipient(slot))?.signingKeys))
  t.notSame(keys[0], keys[1])
  t.same((await slots.recipient(undefined))?.signingKeys, ['environment'])
  for (const unknown of ['', 'x', 'f'.repeat(32), `${one}0`, `${one.toUpperCase()}\0`, '../calendly']) {
    t.equal(await slots.recipient(unknown), undefined)
  }

  const newKey = Buffer.alloc(32, 1)
  const rotated = slotsUnder(createVault(newKey, encryptionKey))
  await rotated.maintain()
  const after = slotsUnder(createVault(newKey))
  t.same((await after.recipient(one))?.signingKeys, keys[0])
  await t.rejects(slotsUnder(createVault(encryptionKey)).recipient(one), { code: 'database_unavailable' })

  await sql`update webhook_slots set signing_key = (select signing_key from webhook_slots where slot = ${two})
    where slot = ${one}`.execute(db)
  await system.sleep(2_000)
  await t.rejects(after.recipient(one), { code: 'database_unavailable' }, 'sealed for its slot alone')
})

t.test('a slot that has retired is refused within two seconds, and forgotten', async (t) => {
  const { check, rotate, slots, db, system, slotStates } = await guardOver(embedded)
  await check()
  const { slot = '' } = await rotate()
  await rotate()
  t.ok(await slots.recipient(slot))
  await sql`update webhook_slots set retire_at = now() where slot = ${slot}`.execute(db)
  await system.sleep(2_000)
  t.equal(await slots.recipient(slot), undefined)
  await slots.maintain()
  t.same(await slotStates(), ['live'])
})
