import { inDollars, type Payer, refundsAtStripe, refundsOf } from './payer.ts'
import type { Json, Stage } from './stage.ts'
import { tellSums } from './sums.ts'

const hourMs = 3_600_000

/** People pay on Calendly's page, and get back what is due. Returns the ids of all refunds. */
export async function tellMoney(stage: Stage): Promise<string[]> {
  await tellPolicy(stage)
  const paula = await tellPayment(stage, 'Paula Payer', 30)
  await tellQuote(stage, paula)
  await tellMove(stage, paula)
  await tellCancellation(stage, paula, { hours: 30, refunded: 5_000 })
  const pedro = await tellPayment(stage, 'Pedro Payer', 13)
  await stage.control('POST', '/faults', lostRefund)
  await tellCancellation(stage, pedro, {
    ...{ hours: 13, refunded: 2_500 },
    mishap: "; Stripe's answer to his refund is lost"
  })
  await tellDashboard(stage, pedro)
  await tellGesture(stage, pedro)
  return tellSums(stage, [paula, pedro])
}

const lostRefund = { kind: 'drop_after', times: 1, match: { method: 'POST', path: '/v1/refunds' } }

const tellPolicy = ({ step, call, control, address }: Stage) =>
  step('Stripe is connected. What does a cancellation give back?', async () => {
    await control('POST', '/stripe/webhooks', { url: `${address}/api/webhooks/stripe` })
    const { status, body } = await call('GET', '/api/v1/refund-policies/default')
    const tiers = body.tiers.map(
      ({ percent, notice_hours }: Json) => `${percent} % with ${notice_hours} h of notice`
    )
    return {
      asked: 'GET /api/v1/refund-policies/default',
      answered: `${status} ${tiers.join(', ')}; ${body.host_cancel_percent} % when the host cancels`,
      held: status === 200 && tiers.length > 0
    }
  })

async function tellPayment(stage: Stage, name: string, hours: number): Promise<Payer> {
  const { step, call, control, eventually, eventTypes, emailOf } = stage
  const [firstName] = name.split(' ')
  const payer: Payer = { name: firstName ?? name, invitee: '', booking: undefined }
  await step(
    `${firstName} books coaching on Calendly's page, ${hours} hours ahead, and pays there.`,
    async () => {
      const start_time = await freeTime(stage, stage.now() + hours * hourMs)
      const email = emailOf(name)
      const { invitee } = await control('POST', '/book', {
        event_type: eventTypes.coaching,
        start_time,
        name,
        email
      })
      const { body } = await eventually(
        () => call('GET', `/api/v1/bookings?invitee_email=${encodeURIComponent(email)}`),
        (reply) => typeof reply.body.data[0]?.payment?.amount === 'number'
      )
      payer.invitee = invitee.uri
      payer.booking = body.data[0]
      const { id, status, payment } = payer.booking
      return {
        asked: `GET /api/v1/bookings?invitee_email=${firstName?.toLowerCase()}…`,
        answered: `${id} ${status}, ${inDollars(payment.amount)} paid by ${payment.charge}`,
        held: status === 'confirmed' && payment.amount === 5_000
      }
    }
  )
  return payer
}

/** The first that is free from that moment on. */
async function freeTime({ call, eventTypes }: Stage, from: number): Promise<string> {
  const range = new URLSearchParams({
    event_type: eventTypes.coaching,
    start_time: new Date(from).toISOString(),
    end_time: new Date(from + 3 * hourMs).toISOString(),
    timezone: 'Etc/UTC'
  })
  const { body } = await call('GET', `/api/v1/availability?${range}`)
  return body.days[0].slots[0].start_time
}

const tellQuote = ({ step, call }: Stage, { name, booking }: Payer) =>
  step(`What would ${name} get back, and when?`, async () => {
    const start = Date.parse(booking.start_time)
    const quoteAt = async (hours: number, canceler_type: string): Promise<Json> => {
      const at = new Date(start - hours * hourMs).toISOString()
      return (await call('POST', '/api/v1/refunds/quote', { booking_id: booking.id, at, canceler_type })).body
    }
    const quotes = await Promise.all([
      quoteAt(30, 'invitee'),
      quoteAt(13, 'invitee'),
      quoteAt(1, 'invitee'),
      quoteAt(1, 'host')
    ])
    const [early, late, tooLate, byHost] = quotes.map(
      ({ amount, percent, rule }) => `${inDollars(amount)} (${percent} %, ${rule})`
    )
    return {
      asked: 'POST /api/v1/refunds/quote ×4, each for a moment and for who cancels',
      answered: `30 h before ${early}, 13 h ${late}, 1 h ${tooLate}; should the host cancel then ${byHost}`,
      held: quotes.map(({ amount }) => amount).join() === '5000,2500,0,5000'
    }
  })

const tellMove = (stage: Stage, payer: Payer) =>
  stage.step(`${payer.name} moves to a later time on Calendly's page: nothing is refunded.`, async () => {
    const { call, control, eventually } = stage
    const { id, payment, start_time } = payer.booking
    const later = await freeTime(stage, Date.parse(start_time) + hourMs / 2)
    const moved = await control('POST', '/reschedule', { invitee: payer.invitee, start_time: later })
    payer.invitee = moved.invitee.uri
    const { body } = await eventually(
      () => call('GET', `/api/v1/bookings/${id}`),
      (reply) => reply.body.reschedules.length > 0
    )
    const refunds = await refundsOf(stage, payer)
    return {
      asked: `GET /api/v1/bookings/${id}, GET /api/v1/refunds?booking_id=…`,
      answered: `the same booking, ${body.status}, now at ${body.start_time}, paid by the same charge; ${refunds.length} refunds`,
      held: body.reschedules.length === 1 && body.payment.charge === payment.charge && refunds.length === 0
    }
  })

type Expected = { hours: number; refunded: number; mishap?: string }

const tellCancellation = (stage: Stage, payer: Payer, { hours, refunded, mishap = '' }: Expected) =>
  stage.step(`${payer.name} cancels there, ${hours} hours before the start${mishap}.`, async () => {
    await stage.control('POST', '/cancel', { invitee: payer.invitee })
    const [refund] = await stage.eventually(
      () => refundsOf(stage, payer),
      ([first]) => first?.status === 'succeeded'
    )
    const { id, amount, percent, rule, status, history } = refund
    const made = (await refundsAtStripe(stage, payer)).length
    return {
      asked:
        'POST /api/webhooks/calendly, by Calendly: invitee.canceled; then GET /api/v1/refunds?booking_id=…',
      answered:
        `${inDollars(amount)} back, ${percent} % by ${rule}: ${id} ` +
        `${history.map((entry: Json) => entry.status).join(' → ')}; at Stripe ${made} refund`,
      held: status === 'succeeded' && amount === refunded && made === 1
    }
  })

const tellDashboard = (stage: Stage, payer: Payer) =>
  stage.step(`Somebody gives ${payer.name} $10.00 more in Stripe's dashboard.`, async () => {
    await stage.control('POST', '/stripe/refunds', { charge: payer.booking.payment.charge, amount: 1_000 })
    const isExternal = ({ trigger }: Json) => trigger === 'external'
    const found = await stage.eventually(
      () => refundsOf(stage, payer),
      (refunds) => refunds.some(isExternal)
    )
    const { id, amount, status, trigger } = found.find(isExternal)
    return {
      asked: 'POST /api/webhooks/stripe, by Stripe; then GET /api/v1/refunds?booking_id=…',
      answered: `imported as ${id}: ${inDollars(amount)} ${status}, trigger ${trigger}`,
      held: status === 'succeeded' && amount === 1_000
    }
  })

const tellGesture = (stage: Stage, payer: Payer) =>
  stage.step(
    `The shop gives ${payer.name} $5.00 as a gesture, sends that twice, then wants $20.00.`,
    async () => {
      const ask = (amount: number, key: string) =>
        stage.call(
          'POST',
          '/api/v1/refunds',
          { booking_id: payer.booking.id, amount, reason: 'A gesture' },
          key
        )
      const first = await ask(500, 'gesture')
      const again = await ask(500, 'gesture')
      const tooMuch = await ask(2_000, 'too-much')
      const made = (await refundsAtStripe(stage, payer)).filter(({ amount }) => amount === 500)
      return {
        asked: 'POST /api/v1/refunds, twice with the same Idempotency-Key, then with another',
        answered: `${first.status} ${first.body.id}, again ${again.body.id}, at Stripe ${made.length} refund; ${tooMuch.status} ${tooMuch.body.code}`,
        held:
          first.body.id === again.body.id &&
          made.length === 1 &&
          tooMuch.body.code === 'refund_exceeds_charge'
      }
    }
  )
