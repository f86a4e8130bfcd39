import t from 'tap'
import { forecast } from '../../src/calendly/forecast.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const at = (time: string) => Date.parse(`2026-11-23T${time}Z`)
/** So many, evenly, the last of them at the end. */
const evenly = (count: number, from: number, to: number) =>
  Array.from({ length: count }, (_, i) => from + ((to - from) / count) * (i + 1))

t.test('nothing booked is nothing used, and never runs out', async (t) => {
  t.same(forecast([], [{ limit: 100, windowMs: day }], at('12:00')), [{ limit: 100, windowMs: day, used: 0 }])
})

t.test("at the present rate the day's bookings run out in the afternoon", async (t) => {
  const uses = evenly(50, at('07:00'), at('12:00'))
  t.same(forecast(uses, [{ limit: 100, windowMs: day }], at('12:00')), [
    { limit: 100, windowMs: day, used: 50, runsOutAt: at('16:54') }
  ])
})

t.test('the rate is that of the last six hours of a day, not of what was before', async (t) => {
  const burst = evenly(40, at('00:00'), at('01:00'))
  const since = evenly(6, at('12:00'), at('18:00'))
  const [found] = forecast([...burst, ...since], [{ limit: 100, windowMs: day }], at('18:00'))
  t.equal(found?.used, 46)
  t.equal(found?.runsOutAt, undefined, 'one an hour, while the morning leaves the window')
})

t.test('a booking a second ago is one an hour, not one a second', async (t) => {
  const [found] = forecast([at('12:00') - 1_000], [{ limit: 10, windowMs: day }], at('12:00'))
  t.equal(found?.runsOutAt, at('21:00'))
})

t.test('uses leave their window while it fills', async (t) => {
  const uses = evenly(90, at('00:00'), at('12:00'))
  const limits = [
    { limit: 5, windowMs: hour },
    { limit: 9, windowMs: hour },
    { limit: 100, windowMs: day }
  ]
  const [past, steady, filling] = forecast(uses, limits, at('12:00'))
  t.same(past, { limit: 5, windowMs: hour, used: 8, nextFreeAt: at('12:28') }, 'it has run out')
  t.same(steady, { limit: 9, windowMs: hour, used: 8 }, 'as many leave as come')
  t.ok((filling?.runsOutAt ?? 0) > at('13:00') && (filling?.runsOutAt ?? 0) < at('14:00'))
})

t.test('more than allowed were used: the next is free when enough have left', async (t) => {
  const uses = [at('12:00:10'), at('12:00:20'), at('12:00:30')]
  t.same(forecast(uses, [{ limit: 2, windowMs: minute }], at('12:00:40')), [
    { limit: 2, windowMs: minute, used: 3, nextFreeAt: at('12:01:20') }
  ])
})

t.test('without limits there is nothing to forecast', async (t) => {
  t.same(forecast([at('12:00')], [], at('12:00')), [])
})
