import t from 'tap'
import type { AvailableTime } from '../../src/core/calendly.ts'
import { createOffers } from '../../src/core/offers.ts'
import { anEventType, meeting, minuteMs, tuesday } from '../support/samples.ts'

const dayMs = 24 * 60 * minuteMs
const midnight = tuesday - (tuesday % dayMs)

/** Offers of a Calendly with these times; `asks` are the reads it got. */
function open(times: readonly number[], { gate = Promise.resolve() } = {}) {
  const asks: { eventType: string; startTime: number; endTime: number }[] = []
  const { find } = createOffers({
    calendly: {
      timesToBook: async (query) => {
        asks.push(query)
        await gate
        return times.map((startTime): AvailableTime => ({ startTime, inviteesRemaining: 3 }))
      }
    }
  })
  return { find: (startTime: number) => find(anEventType(), startTime), asks }
}

t.test('a time is offered that Calendly has at that very start, read past the cache', async (t) => {
  const { find, asks } = open([tuesday, tuesday + 30 * minuteMs])
  t.same(await find(tuesday), { startTime: tuesday, inviteesRemaining: 3 })
  t.equal(await find(tuesday + minuteMs), undefined)
  t.same(asks[0], { eventType: meeting, startTime: midnight, endTime: midnight + dayMs })
})

t.test('who asks for times of one day at once shares a read', async (t) => {
  const { find, asks } = open([tuesday])
  const found = await Promise.all(
    Array.from({ length: 50 }, (_, n) => find(tuesday + (n % 2) * 30 * minuteMs))
  )
  t.equal(found.filter((offer) => offer !== undefined).length, 25)
  t.equal(asks.length, 1)
})

t.test('who asks while a read is under way has one that begins after it', async (t) => {
  const { promise: gate, resolve: answer } = Promise.withResolvers<void>()
  const { find, asks } = open([tuesday], { gate })
  const early = find(tuesday)
  while (asks.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const late = [find(tuesday), find(tuesday), find(tuesday + dayMs)]
  answer()
  await Promise.all([early, ...late])
  t.equal(asks.length, 3)
})
