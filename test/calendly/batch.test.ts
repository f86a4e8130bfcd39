import fc from 'fast-check'
import t from 'tap'
import { CalendlyError } from '../../src/calendly/errors.ts'
import { AppError } from '../../src/core/errors.ts'
import {
  type Asked,
  day,
  every,
  everyHour,
  midnight,
  minute,
  openTimes,
  settle,
  startOfTest
} from './fixtures/times.ts'

const down = () => new AppError('calendly_unavailable', 'down')
const notFound = () =>
  new AppError('calendly_unavailable', 'unknown', {
    cause: new CalendlyError(404, { title: '', message: '', details: [] })
  })
/** In days from today. */
const windows = (asked: readonly Asked[]) =>
  asked.map(({ startTime, endTime }) => [
    Math.floor((startTime - midnight) / day),
    Math.ceil((endTime - midnight) / day)
  ])

t.test('a thousand cold askers for sixty days cost two calls', async (t) => {
  const { availableTimes, asked } = openTimes()
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, () =>
      availableTimes({
        eventType: 'https://api.calendly.com/event_types/A',
        startTime: startOfTest,
        endTime: startOfTest + 60 * day
      })
    )
  )
  t.ok(answers.every(({ times }) => times.length === 60 * 24))
  t.same(asked.length, 2)
  t.ok(asked.every(({ startTime, endTime }) => endTime - startTime <= 31 * day))
})

t.test('different askers at the same time share their calls, and each gets its own part', async (t) => {
  const { ask, asked } = openTimes()
  const answers = await Promise.all([ask(3, 5), ask(4, 20), ask(19, 31), ask(25, 40), ask(8, 9)])
  t.same(windows(asked), [
    [0, 31],
    [31, 62]
  ])
  t.same(
    answers.map(({ times }) => times.length / 24),
    [2, 16, 12, 15, 1]
  )
  t.same(
    answers.map(({ times }) => times[0]?.startTime),
    [3, 4, 19, 25, 8].map((from) => midnight + from * day)
  )
})

t.test('what a window brings along is kept', async (t) => {
  const { ask, asked } = openTimes()
  await ask(7, 8)
  t.equal((await ask(0, 31)).times.length, 30 * 24 + 11)
  t.equal(asked.length, 1)
})

t.test('a day under way is awaited, also one that comes along with others', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { ask, asked } = openTimes({
    answer: async (range) => {
      await gate.promise
      return everyHour(range)
    }
  })
  const first = ask(7, 8)
  await settle()
  const others = [ask(0, 31), ask(30, 33)]
  await settle()
  t.same(windows(asked), [
    [0, 31],
    [31, 62]
  ])
  gate.resolve()
  await first
  t.same(
    (await Promise.all(others)).map(({ times }) => times.length),
    [30 * 24 + 11, 3 * 24]
  )
})

t.test('a window that fails fails those who need it and nobody else', async (t) => {
  const { ask, asked } = openTimes({
    answer: (range) => {
      if (range.startTime >= midnight + 31 * day) throw down()
      return everyHour(range)
    }
  })
  const [near, far, both] = await Promise.allSettled([ask(1, 5), ask(40, 41), ask(20, 60)])
  t.equal(near?.status, 'fulfilled')
  t.match(far, { status: 'rejected', reason: { code: 'calendly_unavailable' } })
  t.match(both, { status: 'rejected', reason: { code: 'calendly_unavailable' } })
  t.equal(asked.length, 2)
})

t.test('what fails is asked for once a second, whoever asks', async (t) => {
  const { ask, asked, clock } = openTimes({
    answer: () => {
      throw notFound()
    }
  })
  for (let n = 0; n < 20; n++) {
    await t.rejects(ask(n, n + 3), { code: 'event_type_not_found' })
    clock.time += 100
  }
  t.equal(asked.length, 2)
})

t.test('days age together with their window, and only what is old is asked for again', async (t) => {
  const { ask, asked, clock } = openTimes()
  await ask(0, 31)
  clock.time += 10_000
  await ask(0, 62)
  t.same(windows(asked), [
    [0, 31],
    [31, 62]
  ])
  clock.time += 14_999
  t.match(await ask(32, 34), { asOf: startOfTest + 10_000, stale: false })
  t.match(await ask(30, 34), { asOf: startOfTest, stale: true })
  await settle()
  t.same(windows(asked.slice(2)), [[0, 31]], 'revalidated in the background')
  t.match(await ask(30, 34), { asOf: startOfTest + 10_000, stale: false })
})

t.test('who has to wait for one day gets the others anew as well', async (t) => {
  const { ask, asked, clock } = openTimes()
  await ask(0, 31)
  clock.time += 60_000
  t.match(await ask(0, 62), { asOf: clock.time, stale: false })
  t.equal(asked.length, 3)
})

t.test('who wants it fresh shares a call only with those who ask at the same time', async (t) => {
  const { ask, asked } = openTimes()
  await ask(0, 31)
  await Promise.all([ask(3, 4, { fresh: true }), ask(4, 6, { fresh: true })])
  t.equal(asked.length, 2)
  const early = ask(5, 6, { fresh: true })
  await settle()
  await Promise.all([early, ask(5, 6, { fresh: true })])
  t.equal(asked.length, 4)
})

t.test('an answer that was asked for earlier never replaces a later one', async (t) => {
  const gates: PromiseWithResolvers<void>[] = []
  let seats = 0
  const { ask } = openTimes({
    answer: async (range) => {
      const gate = Promise.withResolvers<void>()
      gates.push(gate)
      const invitees_remaining = ++seats
      await gate.promise
      return everyHour(range).map((offer) => ({ ...offer, invitees_remaining }))
    }
  })
  const early = ask(1, 2)
  await settle()
  const late = ask(1, 2, { fresh: true })
  await settle()
  gates[1]?.resolve()
  t.match((await late).times[0], { inviteesRemaining: 2 })
  gates[0]?.resolve()
  t.match((await early).times[0], { inviteesRemaining: 1 })
  t.match((await ask(1, 2)).times[0], { inviteesRemaining: 2 })
})

t.test('a time that passes while Calendly is slow is not served', async (t) => {
  const { ask, clock } = openTimes({
    answer: (range) => {
      clock.time += 45 * minute
      return everyHour(range)
    }
  })
  t.equal((await ask(0, 1)).times[0]?.startTime, midnight + 14 * 60 * minute)
})

t.test('the minute before midnight', async (t) => {
  const { ask, asked } = openTimes({ startAt: midnight + day - 30_000 })
  t.same(await ask(0, 1), { times: [], asOf: midnight + day - 30_000, stale: false })
  t.same(asked, [], 'too little is left of today')
  t.equal((await ask(0, 2)).times[0]?.startTime, midnight + day + 60 * minute)
})

t.test('each of many asks at once gets what it would get alone', async () => {
  const offset = fc.integer({ min: -day, max: 100 * day })
  const asks = fc.array(fc.tuple(offset, offset, fc.boolean()), { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(asks, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 31 }),
      fc.integer({ min: 0, max: day - 1 }),
      fc.integer({ min: 1, max: 200_000 }),
      async (rounds, windowDays, timeOfDay, passMs) => {
        const { availableTimes, asked, clock } = openTimes({
          windowDays,
          startAt: midnight + timeOfDay,
          answer: (range) => {
            const isAllowed =
              range.startTime >= clock.time + minute &&
              range.startTime < range.endTime &&
              range.endTime - range.startTime <= windowDays * day
            if (!isAllowed) throw new Error(`Calendly refuses ${JSON.stringify(range)}`)
            // In no order, as nothing is promised.
            return every(7, range).reverse()
          }
        })
        for (const round of rounds) {
          const calls = asked.length
          await Promise.all(
            round.map(async ([a, b, fresh]) => {
              const [startTime, endTime] = [midnight + Math.min(a, b), midnight + Math.max(a, b)]
              const { times } = await availableTimes({ eventType: 'A', startTime, endTime, fresh })
              const soonest = Math.ceil((clock.time + minute) / minute) * minute
              const alone = every(7, { startTime: Math.max(startTime, soonest), endTime }).map(
                ({ start_time }) => Date.parse(start_time)
              )
              const got = times.map(({ startTime: at }) => at).filter((at) => at >= soonest)
              if (JSON.stringify(got) !== JSON.stringify(alone)) throw new Error(`${got} is not ${alone}`)
            })
          )
          if (asked.length - calls > Math.ceil(101 / windowDays)) throw new Error('too many calls')
          await settle()
          clock.time += passMs
        }
      }
    ),
    { numRuns: 60 }
  )
})
