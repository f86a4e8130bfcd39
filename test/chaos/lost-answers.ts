import assert from 'node:assert/strict'
import { allBookings, assertOneEach, book, postsToCalendly, wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'

const bookings = 500
const losses = [
  { kind: 'drop_after' },
  { kind: 'reset_after' },
  { kind: 'truncate' },
  { kind: 'status', status: 502, processed: true }
]
/** Of all answers to a booking; each kind of loss takes its part of what the ones before it have left. */
const lostShare = 0.3
const share = lostShare / losses.length
const settledWithinMs = 60_000

/** Everything a tenth of what it is by default. */
const tenths = {
  CALENDLY_BOOKING_LIMITS: 'none',
  BOOKING_LOOKUP_SECONDS: '0.1,0.5,1.5,6,30',
  BOOKING_ABSENCE_SECONDS: '1.5',
  BOOKING_ATTENTION_SECONDS: '90'
}

/** Calendly books, and its answer never arrives. It goes on losing answers while the lost ones are looked for. */
export const lostAnswers: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'calendly/retry.ts',
      mechanism: "return method === 'GET' || !error.wasSent",
      without: 'return true'
    }
  ],

  async run(stage) {
    const service = await stage.start({ env: tenths })
    const wished = await wishes(stage, service, bookings)
    for (const [i, loss] of losses.entries()) {
      const match = { method: 'POST', path: '/invitees' }
      await stage.control('POST', '/faults', { ...loss, match, probability: share / (1 - i * share) })
    }
    const startedAt = Date.now()
    const answers = await Promise.all(wished.map((wish) => book(stage, service.address, wish)))
    const lost = answers.filter(({ status }) => status === 202).length
    assert(lost > 0, 'answers were lost')
    assert.equal(
      answers.filter(({ status }) => status === 201).length,
      bookings - lost,
      'each booking is confirmed or on its way'
    )
    await stage.until(
      'every booking is confirmed',
      async () => (await allBookings(stage, service)).filter(({ status }) => status !== 'confirmed'),
      (others) => others.length === 0,
      startedAt + settledWithinMs - Date.now()
    )
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(0)
    await assertOneEach(stage, service, wished)
    assert.equal(await postsToCalendly(stage), bookings, 'Calendly was asked once each')
    return `${bookings} bookings, ${lost} answered later, all confirmed after ${seconds} s`
  }
}
