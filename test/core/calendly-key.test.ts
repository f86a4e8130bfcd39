import t from 'tap'
import {
  accepted,
  ageDaysOf,
  arrange,
  healthOf,
  identityOf,
  isForeign,
  promoted,
  shownState,
  warningsOf
} from '../../src/core/calendly-key.ts'
import { aKey, elsewhere, owner } from '../support/calendly-keys.ts'
import { tuesday } from '../support/samples.ts'

const dayMs = 86_400_000
const policy = { maxUsage: 1_000, maxAgeDays: 90 }
const at = (days: number) => tuesday + days * dayMs
const order = (keys: readonly { name: string; state: string; priority: number }[]) =>
  arrange(keys as never).map(({ name, state, priority }) => `${priority} ${name} ${state}`)

t.test('a key is known by its token’s hash and shown by its last four characters', async (t) => {
  t.equal(identityOf('abc-1234').lastFour, '1234')
  t.match(identityOf('abc-1234').fingerprint, /^[0-9a-f]{64}$/)
  t.not(identityOf('abc-1234').fingerprint, identityOf('abc-1235').fingerprint)
})

t.test(
  'an active key warns at 60, 75, 85 and 90 ninetieths of its life and at 80 % of its use',
  async (t) => {
    const warnings = (days: number, usageCount = 0) =>
      warningsOf(aKey({ name: 'a', usageCount }), policy, at(days))
    t.same(warnings(59.99, 799), [])
    t.same(warnings(0, 800), ['usage_80'])
    t.same(warnings(60), ['age_60'])
    t.same(warnings(75), ['age_60', 'age_75'])
    t.same(warnings(85), ['age_60', 'age_75', 'age_85'])
    t.same(warnings(90, 5_000), ['usage_80', 'age_60', 'age_75', 'age_85', 'expired'])
    t.same(warningsOf(aKey({ name: 'a' }), { ...policy, maxAgeDays: 9 }, at(6)), ['age_60'], 'of any life')
    for (const state of ['pending', 'retiring', 'revoked'] as const) {
      t.same(warningsOf(aKey({ name: 'a', state, usageCount: 5_000 }), policy, at(100)), [], state)
    }
  }
)

t.test('a key that should be replaced is shown as expiring, whatever else it is', async (t) => {
  t.equal(shownState(aKey({ name: 'a' }), policy, at(59)), 'active')
  t.equal(shownState(aKey({ name: 'a' }), policy, at(60)), 'expiring')
  t.equal(shownState(aKey({ name: 'a' }), policy, at(900)), 'expiring')
  t.equal(shownState(aKey({ name: 'a', usageCount: 800 }), policy, at(0)), 'expiring')
  for (const state of ['pending', 'retiring', 'revoked'] as const) {
    t.equal(shownState(aKey({ name: 'a', state }), policy, at(900)), state)
  }
})

t.test('health is that of the token first, then of its user', async (t) => {
  t.equal(healthOf(aKey({ name: 'a' }), undefined, at(1)), 'ok')
  t.equal(healthOf(aKey({ name: 'a' }), at(1), at(1)), 'ok')
  t.equal(healthOf(aKey({ name: 'a' }), at(1) + 1, at(1)), 'cooling')
  t.equal(healthOf(aKey({ name: 'a', invalidSince: at(0) }), at(2), at(1)), 'invalid')
})

t.test('age is counted in whole days, and never below zero', async (t) => {
  t.equal(ageDaysOf(aKey({ name: 'a' }), at(1.99)), 1)
  t.equal(ageDaysOf(aKey({ name: 'a' }), at(-1)), 0)
})

t.test('keys are asked by priority, retiring ones last, and numbered so', async (t) => {
  const keys = [
    aKey({ name: 'gone', state: 'revoked', priority: 1 }),
    aKey({ name: 'old', state: 'retiring', priority: 1 }),
    aKey({ name: 'b', priority: 7 }),
    aKey({ name: 'a', state: 'pending', priority: 3 })
  ]
  t.same(order(keys), ['1 a pending', '2 b active', '3 old retiring', '4 gone revoked'])
  const arranged = arrange(keys)
  t.ok(
    arrange(arranged).every((key, index) => key === arranged[index]),
    'what has its place is left alone'
  )
})

t.test('a promotion makes a key first and retires the one that was', async (t) => {
  const keys = arrange([
    aKey({ name: 'a', priority: 1 }),
    aKey({ name: 'b', priority: 2 }),
    aKey({ name: 'c', priority: 3 })
  ])
  const once = arrange(promoted(keys, 'c', at(1)))
  t.same(order(once), ['1 c active', '2 b active', '3 a retiring'])
  t.match(once.at(-1), { retireAt: at(1) })
  t.same(arrange(promoted(once, 'c', at(2))), once, 'and again changes nothing')
  const back = arrange(promoted(once, 'a', at(2)))
  t.same(order(back), ['1 a active', '2 b active', '3 c retiring'])
  t.equal(back[0]?.retireAt, undefined)
})

t.test('a promotion among retiring keys retires none', async (t) => {
  const keys = [aKey({ name: 'a', state: 'retiring' }), aKey({ name: 'b', state: 'retiring', priority: 2 })]
  t.same(order(promoted(keys, 'b', at(1))), ['1 b active', '2 a retiring'])
})

t.test(
  'acceptance makes a pending key active and an invalid one good, and leaves a retiring one so',
  async (t) => {
    const fresh = aKey({ name: 'a', state: 'pending', user: undefined, organization: undefined })
    t.match(accepted(fresh, owner), { state: 'active', ...owner })
    t.match(accepted(aKey({ name: 'a', state: 'retiring', invalidSince: 1 }), owner), {
      state: 'retiring',
      invalidSince: undefined
    })
    const known = aKey({ name: 'a' })
    t.equal(accepted(known, owner), known, 'no news is no change')
  }
)

t.test('another organization is told by the other keys that are or were verified', async (t) => {
  const foreign = (...keys: Parameters<typeof aKey>[0][]) => isForeign(keys.map(aKey), elsewhere.organization)
  t.equal(foreign({ name: 'a' }), true)
  t.equal(foreign({ name: 'a', state: 'retiring' }), true)
  t.equal(foreign({ name: 'a', state: 'revoked' }), true, 'what was booked with it is there')
  t.equal(foreign({ name: 'a', organization: undefined }), false)
  t.equal(foreign({ name: 'a', organization: elsewhere.organization }), false)
  t.equal(foreign(), false)
  t.equal(foreign(), false)
})
