import assert from 'node:assert/strict'
import type { Answer } from '../support/service.ts'
import { bringApart } from './support/courier.ts'
import type { Experiment } from './support/experiment.ts'
import { assertWhole } from './support/intake.ts'
import { cancelAll, type Moved, move, wholeBookings } from './support/movers.ts'
import {
  allRefunds,
  distantTimes,
  pay,
  refundsAtStripe,
  startPaid,
  sumOf,
  untilCharged,
  type Wish
} from './support/paid.ts'
import type { Service } from './support/service.ts'
import type { Stage } from './support/stage.ts'
import { untilWorkedOff } from './support/webhooks.ts'

/** `pace`: how many times as fast as ours the sandbox's clock goes while the moves are told. */
const full = { people: 200, pace: 1 }
const bounded = { people: 40, pace: 15 }
/** One in so many moves before anybody was told that he had booked. */
const newEvery = 4

/**
 * People pay on Calendly's page, move, some of them twice, and cancel. What Calendly tells of it comes in any order and up
 * to 90 s apart, and then all of it once more.
 */
export const refundReschedule: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'core/facts.ts',
      mechanism: 'if (invitee.rescheduled) return moveAway(found, booking)',
      without: ''
    }
  ],

  async run(stage, { isBounded }) {
    const { people: count, pace } = isBounded ? bounded : full
    const replicas = await startPaid(stage)
    const [service] = replicas
    const times = await distantTimes(stage, service)
    const wishes = times.slice(0, count).map(wishFor)
    const isNew = (_: Wish, n: number) => n % newEvery === 0
    const known = await pay(
      stage,
      wishes.filter((wish, n) => !isNew(wish, n))
    )
    await untilCharged(stage, service, known)
    await untilWorkedOff(stage, service)

    await stage.control('POST', '/webhooks/mode', { withhold: true })
    const payers = [...known, ...(await pay(stage, wishes.filter(isNew)))]
    const moved = await move(stage, payers, times.slice(count))
    const { moves, backwards } = await bringApart(stage, replicas, pace)
    assert(backwards > 0 && backwards < moves, 'moves are told in both orders')
    await stage.control('POST', '/webhooks/release')
    await untilMoved(stage, service, moved)
    await untilWorkedOff(stage, service)
    await assertNoneForMoves(stage, moved)

    await stage.control('POST', '/webhooks/mode', { duplicate: true, reorder: true })
    await cancelAll(stage, replicas, moved)
    await assertOnceEach(stage, service, moved)
    await untilWorkedOff(stage, service)
    await assertOnceEach(stage, service, moved)
    await assertWhole(stage, service)
    return `${moves} moves of ${count} people, ${backwards} told backwards, ${replicas.length} replicas: ${count} refunds, none for a move`
  }
}

const wishFor = (startTime: string, n: number): Wish => ({
  ...{ startTime, amount: 5_000 + n },
  reference: n % 3 === 0 ? 'payment_intent' : 'charge'
})

/** Each is one booking, at its new time, and canceled only where that was wanted. */
async function untilMoved(stage: Stage, service: Service, moved: readonly Moved[]): Promise<void> {
  const isThere = (bookings: readonly Answer['body'][], { email, isHasty, to }: Moved) =>
    bookings.some(
      ({ invitee, status, change, start_time }) =>
        invitee.email === email &&
        status === (isHasty ? 'canceled' : 'confirmed') &&
        change === null &&
        Date.parse(start_time) === Date.parse(to)
    )
  const bookings = await stage.until(
    'everybody is where he moved to',
    async () => {
      await assertNoneForMoves(stage, moved)
      return wholeBookings(stage, service)
    },
    (found) => moved.every((one) => isThere(found, one))
  )
  assert.equal(bookings.length, moved.length, 'one booking each')
}

async function assertNoneForMoves(stage: Stage, moved: readonly Moved[]): Promise<void> {
  const early = moved.filter(({ isHasty }) => !isHasty).map(({ charge }) => charge)
  const made = await refundsAtStripe(stage)
  const wrong = made.filter(({ charge }) => early.includes(charge))
  assert.equal(wrong.length, 0, `${wrong.length} have their money back who only moved`)
}

/** All that each has paid, of the one charge that it was paid with, in one refund. */
async function assertOnceEach(stage: Stage, service: Service, moved: readonly Moved[]): Promise<void> {
  const refunds = await stage.until(
    'everybody has the money back',
    () => allRefunds(stage, service),
    (found) => found.filter(({ status }) => status === 'succeeded').length >= moved.length
  )
  const paid = moved.map(({ charge, amount }) => `${charge} ${amount}`).sort()
  const summary = (all: readonly Answer['body'][]) =>
    all.map(({ charge, amount }) => `${charge} ${amount}`).sort()
  const made = await refundsAtStripe(stage)
  assert.deepEqual(summary(made), paid, 'one refund of each first charge, at Stripe')
  await assertNoneEarly(stage, moved)
  assert.deepEqual(summary(refunds), paid, 'and here')
  assert.equal(sumOf(made), sumOf(moved))
  assert.deepEqual(new Set(refunds.map(({ trigger }) => trigger)), new Set(['cancellation']))
  const bookings = await wholeBookings(stage, service)
  assert.deepEqual(
    bookings.map(({ status, payment }) => `${status} ${payment.charge} ${payment.refunded_amount}`).sort(),
    paid.map((one) => `canceled ${one}`)
  )
}

/** By the clock that Calendly and Stripe share. */
async function assertNoneEarly(stage: Stage, moved: readonly Moved[]): Promise<void> {
  const [{ scheduled_events: events }, { refunds }] = await Promise.all([
    stage.control('GET', '/state'),
    stage.control('GET', '/stripe/journal')
  ])
  const invitees: Answer['body'][] = events.flatMap(({ invitees }: Answer['body']) => invitees)
  const early = moved.filter(({ charge, invitee }) => {
    const { cancellation } = invitees.find(({ uri }) => uri === invitee)
    const { history } = refunds.find((refund: Answer['body']) => refund.charge === charge)
    return history[0].at < cancellation.created_at
  })
  assert.equal(early.length, 0, `${early.length} had their money back before they canceled`)
}
