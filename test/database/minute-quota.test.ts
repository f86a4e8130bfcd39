import { sql } from 'kysely'
import t from 'tap'
import { createLocalQuota } from '../../src/calendly/local-quota.ts'
import type { MinuteQuota } from '../../src/calendly/quota.ts'
import { createMinuteQuota, sweepQuotas } from '../../src/database/minute-quota.ts'
import { engines, openReplicas, openTestEngine, type Test } from '../support/database.ts'
import { fakeSystem } from '../support/system.ts'

const postgresql = engines.includes('postgresql') ? {} : { skip: 'TEST_DATABASE_URL is not set' }
const minuteMs = 60_000
// No use of more than 80 % of the limit.
const keep = 1 - 0.8

type Stage = {
  /** Of two replicas. */
  quotas: readonly [MinuteQuota, MinuteQuota]
  /** Lets time go by. */
  pass: (ms: number) => Promise<void>
}

const stages: Record<string, (t: Test) => Promise<Stage>> = {
  'in memory': async () => {
    const system = fakeSystem()
    const quota = createLocalQuota(system)
    return { quotas: [quota, quota], pass: system.sleep }
  },
  'on PostgreSQL': async (t) => {
    const [one, other] = await openReplicas(t, 'postgresql')
    return {
      quotas: [createMinuteQuota(one.db), createMinuteQuota(other.db)],
      pass: async (ms) => {
        await sql`update calendly_quotas set
          reset_at = reset_at - ${ms} * interval '1 millisecond',
          rests_until = rests_until - ${ms} * interval '1 millisecond'`.execute(one.db)
      }
    }
  }
}

for (const [name, open] of Object.entries(stages)) {
  t.test(`a minute's quota ${name}`, name === 'in memory' ? {} : postgresql, async (t) => {
    const { quotas, pass } = await open(t)
    const [quota] = quotas
    let users = 0
    const aUser = () => `https://api.calendly.com/users/${++users}`

    /** How many of so many simultaneous calls are granted. */
    const take = async (user: string, count: number, kept = keep) => {
      const taken = await Promise.all(
        Array.from({ length: count }, (_, n) => (quotas[n % 2] ?? quota).take(user, kept))
      )
      return taken.filter(({ isGranted }) => isGranted).length
    }
    const answer = (user: string, remaining: number, resetMs = minuteMs) =>
      quota.settle(user, { limit: 50, remaining, resetMs })
    /** A user whose limit is known and whose minute has just begun. */
    const aKnownUser = async () => {
      const user = aUser()
      await take(user, 1)
      await answer(user, 49)
      await pass(minuteMs)
      return user
    }
    const waitMs = async (user: string, kept = keep) => {
      const taken = await quota.take(user, kept)
      return taken.isGranted ? 0 : taken.waitMs
    }

    t.test('grants exactly its share to the calls of all replicas', async (t) => {
      for (const [share, granted] of [
        [0.8, 40],
        [0.8 * 0.95, 38],
        [0.8 * 0.85, 34],
        [0.8 * 0.5, 20],
        [1, 50]
      ] as const) {
        t.equal(await take(await aKnownUser(), 60, 1 - share), granted, `${share}`)
      }
    })

    t.test('grants every call while the limit is unknown, and counts them once it is', async (t) => {
      const user = aUser()
      t.equal(await take(user, 10), 10)
      await answer(user, 49)
      t.equal(await take(user, 60), 30)
    })

    t.test('is known from the first answer, however late in the minute', async (t) => {
      const user = aUser()
      await take(user, 3)
      await answer(user, 47, 20_000)
      t.equal(await take(user, 60), 37)
    })

    t.test('is whole again when the minute is over, whatever became of the calls', async (t) => {
      const user = await aKnownUser()
      t.equal(await take(user, 60), 40)
      const wait = await waitMs(user)
      t.ok(wait > 0)
      await pass(wait)
      t.equal(await take(user, 60), 40)
    })

    t.test('ends when Calendly says', async (t) => {
      const user = await aKnownUser()
      await take(user, 60)
      await answer(user, 49, 40_000)
      t.ok((await waitMs(user)) <= 40_000)
      await pass(40_000)
      t.equal(await take(user, 60), 40)
    })

    t.test(
      'never ends for a modest use, even where Calendly always says that its minute has just begun',
      async (t) => {
        const user = await aKnownUser()
        let granted = 0
        for (let quarter = 0; quarter < 12; quarter++) {
          for (let call = 1; call <= 8; call++) {
            granted += await take(user, 1)
            await answer(user, 50 - 8 * (quarter % 4) - call)
          }
          await pass(minuteMs / 4)
        }
        t.equal(granted, 12 * 8)
      }
    )

    t.test('falls with what others use', async (t) => {
      const user = await aKnownUser()
      await take(user, 1)
      await answer(user, 15)
      t.equal(await take(user, 60), 5)
    })

    t.test('does not rise with answers that overtook each other', async (t) => {
      const user = await aKnownUser()
      t.equal(await take(user, 60), 40)
      for (const remaining of [10, 30, 11, 49, 48]) {
        await answer(user, remaining)
        t.equal(await take(user, 1), 0, `after ${remaining}`)
      }
    })

    t.test('does not count a call twice that is in flight and known to Calendly', async (t) => {
      const user = await aKnownUser()
      t.equal(await take(user, 20), 20)
      await answer(user, 30)
      t.equal(await take(user, 60), 20)
    })

    t.test('never ends where Calendly counts nothing', async (t) => {
      const user = await aKnownUser()
      let granted = 0
      for (let call = 0; call < 60; call++) {
        granted += await take(user, 1)
        await answer(user, 49)
      }
      t.equal(granted, 60)
    })

    t.test('counts calls that got no answer', async (t) => {
      const user = await aKnownUser()
      await take(user, 1)
      await answer(user, 49)
      t.equal(await take(user, 30), 30)
      await Promise.all(Array.from({ length: 30 }, () => quota.settle(user)))
      t.equal(await take(user, 60), 9)
    })

    t.test('takes back calls that never left', async (t) => {
      const user = await aKnownUser()
      t.equal(await take(user, 30), 30)
      await Promise.all(Array.from({ length: 30 }, () => quota.giveBack(user)))
      t.equal(await take(user, 60), 40)
      await pass(await waitMs(user))
      await take(user, 1)
      await quota.giveBack(user)
      await quota.giveBack(user)
      t.equal(await take(user, 60), 40, 'but never more than there are')
    })

    t.test('is not spoilt by the late answer of a minute that is over', async (t) => {
      const user = await aKnownUser()
      await take(user, 60)
      await pass(await waitMs(user))
      t.equal(await take(user, 1), 1)
      await answer(user, 3, 500)
      t.equal(await take(user, 60), 39)
    })

    t.test('begins anew when Calendly’s does, less what is in flight', async (t) => {
      const user = await aKnownUser()
      await take(user, 60)
      await answer(user, 10, 45_000)
      await pass(20_000)
      t.equal(await take(user, 1), 0)
      await answer(user, 49)
      t.equal(await take(user, 60), 1, '38 of 49 are in flight')
    })

    t.test('follows a limit that changes', async (t) => {
      const user = await aKnownUser()
      t.equal(await take(user, 60), 40)
      await quota.settle(user, { limit: 500, remaining: 460, resetMs: minuteMs })
      t.equal(await take(user, 500), 360)
    })

    t.test('rests as long as the longest rest', async (t) => {
      const user = aUser()
      await quota.rest(user, 30_000)
      await quota.rest(user, 10_000)
      const wait = await waitMs(user)
      t.ok(wait > 10_000 && wait <= 30_000)
      t.equal(await take(aUser(), 1), 1, 'and others do not')
      await pass(30_000)
      t.equal(await take(user, 1), 1)
    })

    t.test('has to wait for its rest and its minute', async (t) => {
      const user = await aKnownUser()
      await take(user, 60)
      await quota.rest(user, 1_000)
      t.ok((await waitMs(user)) > 1_000)
      await quota.rest(user, 300_000)
      t.ok((await waitMs(user)) > 200_000)
    })

    t.test('is listed by user', async (t) => {
      const find = async (user: string) => (await quota.list()).find((minute) => minute.user === user)
      const user = aUser()
      t.equal(await find(user), undefined)
      await take(user, 3)
      t.match(await find(user), {
        limit: undefined,
        remaining: undefined,
        resetAt: Number,
        restsUntil: undefined
      })
      await answer(user, 47)
      t.match(await find(user), { limit: 50, remaining: 47, resetAt: Number })
      await quota.rest(user, minuteMs)
      t.match(await find(user), { restsUntil: Number })
      await pass(2 * minuteMs)
      t.strictSame(await find(user), { user, limit: 50, remaining: 50 })
    })
  })
}

t.test('a user not asked for in a day is forgotten', postgresql, async (t) => {
  const { db } = await openTestEngine(t, 'postgresql')
  const quota = createMinuteQuota(db)
  for (const user of ['gone', 'resting', 'here']) await quota.take(user, 0)
  await quota.rest('resting', 26 * 60 * minuteMs)
  await sql`update calendly_quotas set reset_at = reset_at - interval '25 hours' where calendly_user <> 'here'`.execute(
    db
  )
  await sweepQuotas(db)
  t.same(
    (await quota.list()).map(({ user }) => user),
    ['here', 'resting']
  )
})
