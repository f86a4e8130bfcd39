import assert from 'node:assert/strict'
import { assertOneEach, book, bookForSure, untilResolved, wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'

const bookings = 100
// Each takes its share of what the ones before it have left: 6 % of all answers apiece, 30 % together.
const share = 0.06
const losses = [
  { kind: 'drop_after' },
  { kind: 'reset_after' },
  { kind: 'truncate' },
  { kind: 'status', status: 502, processed: true },
  { kind: 'status', status: 502, processed: false }
]

/** Calendly books, or does not, and its answer never arrives. */
export const lostAnswers: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'calendly/call.ts',
      mechanism: "(method === 'GET' || !error.wasSent)",
      without: '(true)'
    }
  ],

  async run(stage) {
    const service = await stage.start()
    const wished = await wishes(stage, service, bookings)
    for (const [i, loss] of losses.entries()) {
      const match = { method: 'POST', path: '/invitees' }
      await stage.control('POST', '/faults', { ...loss, match, probability: share / (1 - i * share) })
    }
    const answers = await Promise.all(wished.map((wish) => book(stage, service.address, wish)))
    // What is asked again now is answered: of two lost answers in a row a person has to judge.
    await stage.control('DELETE', '/faults')
    const lost = answers.filter(({ status }) => status === 202).length
    assert.equal(
      answers.filter(({ status }) => status === 201).length,
      bookings - lost,
      'the others are confirmed'
    )
    assert(lost > 0, 'answers were lost')
    const settled = await Promise.all(wished.map((wish) => bookForSure(stage, service, wish)))
    assert.deepEqual(
      settled.map(({ id }) => id),
      answers.map(({ body }) => body.id)
    )
    await untilResolved(stage, service)
    await assertOneEach(stage, service, wished)
    return `${bookings} bookings, ${lost} answers lost`
  }
}
