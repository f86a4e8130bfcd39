import { sql } from 'kysely'
import t from 'tap'
import { createBookingQuota, sweepBookingCalls } from '../../src/database/booking-quota.ts'
import { engines, openReplicas } from '../support/database.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const tenAMinute = [{ limit: 10, windowMs: minuteMs }]

for (const kind of engines) {
  t.test(`the booking quota on ${kind}`, async (t) => {
    const engines = await openReplicas(t, kind)
    const [{ db }] = engines
    const [quota, other] = [createBookingQuota(engines[0]), createBookingQuota(engines[1])]
    let users = 0
    const aUser = () => `https://api.calendly.com/users/${++users}`
    const take = async (user: string, count: number, limits = tenAMinute) => {
      const taken = await Promise.all(
        Array.from({ length: count }, (_, n) => (n % 2 ? quota : other).take(user, limits))
      )
      return taken.flatMap((one) => (one.isGranted ? [one.id] : []))
    }
    const waitMs = async (user: string, limits = tenAMinute) => {
      const taken = await quota.take(user, limits)
      return taken.isGranted ? 0 : taken.waitMs
    }
    const pass = (ms: number) =>
      sql`update calendly_booking_calls set sent_at = sent_at - ${ms} * interval '1 millisecond'`.execute(db)

    t.test('grants as many as its limit to 100 calls at once', async (t) => {
      const user = aUser()
      t.equal((await take(user, 100)).length, 10)
      t.equal((await take(aUser(), 100)).length, 10, 'to each user')
      t.equal((await quota.sentWithin(user, minuteMs)).length, 10)
    })

    t.test('slides', async (t) => {
      const user = aUser()
      await take(user, 4)
      await pass(40_000)
      await take(user, 6)
      const wait = await waitMs(user)
      t.ok(wait > 0 && wait <= 20_000)
      await pass(wait)
      t.equal((await take(user, 100)).length, 4)
    })

    t.test('refuses until every window has room', async (t) => {
      const limits = [
        { limit: 3, windowMs: minuteMs },
        { limit: 5, windowMs: hourMs }
      ]
      const user = aUser()
      t.equal((await take(user, 9, limits)).length, 3)
      t.ok((await waitMs(user, limits)) <= minuteMs)
      await pass(minuteMs)
      t.equal((await take(user, 9, limits)).length, 2)
      const wait = await waitMs(user, limits)
      t.ok(wait > 50 * minuteMs && wait <= 59 * minuteMs)
    })

    t.test('without limits only counts', async (t) => {
      const user = aUser()
      t.equal((await take(user, 20, [])).length, 20)
      t.ok((await waitMs(user)) > 0, 'for those that come')
    })

    t.test('takes back what never left', async (t) => {
      const user = aUser()
      const [id = 0] = await take(user, 10)
      await quota.giveBack(id)
      await quota.giveBack(id)
      t.equal((await take(user, 10)).length, 1)
    })

    t.test('tells when calls were sent, ascending', async (t) => {
      const user = aUser()
      for (const ms of [hourMs, 1_000, 500]) {
        await take(user, 1)
        await pass(ms)
      }
      const [first = 0, second = 0, ...others] = await quota.sentWithin(user, minuteMs)
      t.same(others, [])
      t.ok(second - first >= 1_000)
      t.same((await quota.sentWithin(user, 2 * hourMs)).slice(1), [first, second])
    })

    t.test('forgets what counts no more', async (t) => {
      const user = aUser()
      await take(user, 3)
      await pass(25 * hourMs)
      await take(user, 2)
      await pass(23 * hourMs)
      await sweepBookingCalls(db)
      t.equal((await quota.sentWithin(user, 100 * hourMs)).length, 2)
    })
  })
}
