import type { Json, Stage } from './stage.ts'
import { freeDays, wishOf } from './wishes.ts'

/** People who book elsewhere, hesitate, or get no answer. */
export async function tellDoubt(stage: Stage): Promise<void> {
  await tellWalkIn(stage)
  await tellHold(stage)
  await tellLostAnswer(stage)
}

const tellWalkIn = ({ step, call, control, eventually, eventTypes, emailOf }: Stage) =>
  step("Somebody books on Calendly's own page, past this service.", async () => {
    const name = 'Walter Walk-in'
    const email = emailOf(name)
    await control('POST', '/book', { event_type: eventTypes.meeting, name, email })
    const { body } = await eventually(
      () => call('GET', `/api/v1/bookings?invitee_email=${encodeURIComponent(email)}`),
      (reply) => reply.body.data.length > 0
    )
    const [found] = body.data
    return {
      asked: 'GET /api/v1/bookings?invitee_email=walter…',
      answered: `${found?.id} ${found?.status}, source ${found?.source}`,
      held: found?.source === 'webhook' && found?.status === 'confirmed'
    }
  })

async function tellHold(stage: Stage): Promise<void> {
  const { step, call, eventTypes } = stage
  let hold: Json
  await step('Ida needs a minute to decide: her time is held for her.', async () => {
    const { days } = await freeDays(stage)
    const { start_time } = days[3].slots[2]
    const wish = { event_type: eventTypes.meeting, start_time, ttl_seconds: 120 }
    const { status, body } = await call('POST', '/api/v1/holds', wish)
    hold = body
    return {
      asked: 'POST /api/v1/holds',
      answered: `${status} ${body.id} ${body.status} until ${body.expires_at}`,
      held: status === 201 && body.status === 'active'
    }
  })

  const wish = () => wishOf(stage, 'Ida Example', hold.start_time)
  await step('Somebody else tries to book it meanwhile.', async () => {
    const { status, body } = await call('POST', '/api/v1/bookings', wish(), 'rival-of-ida')
    const kinds = body.conflicts.map(({ kind }: Json) => kind)
    return {
      asked: 'POST /api/v1/bookings',
      answered: `${status} ${body.code}, in the way: ${kinds.join(', ')}`,
      held: status === 409 && kinds.includes('hold')
    }
  })

  await step('Ida has decided.', async () => {
    const { status, body } = await call('POST', '/api/v1/bookings', { ...wish(), hold_id: hold.id }, 'ida')
    return {
      asked: 'POST /api/v1/bookings, with hold_id',
      answered: `${status} ${body.id} ${body.status}`,
      held: status === 201 && body.status === 'confirmed'
    }
  })
}

const tellLostAnswer = (stage: Stage) =>
  stage.step("Olga books, and Calendly's answer is lost on the way.", async () => {
    const { call, control, eventually } = stage
    const { days } = await freeDays(stage)
    const lost = { kind: 'drop_after', times: 1, match: { method: 'POST', path: '/invitees' } }
    await control('POST', '/faults', lost)
    const wish = wishOf(stage, 'Olga Example', days[5].slots[3].start_time)
    const first = await call('POST', '/api/v1/bookings', wish, 'olga')
    const { body } = await eventually(
      () => call('GET', `/api/v1/bookings/${first.body.id}`),
      (reply) => reply.body.status === 'confirmed'
    )
    const state = await control('GET', '/state')
    const seats = state.scheduled_events.flatMap((event: Json) => event.invitees)
    const hers = seats.filter(({ email }: Json) => email === wish.invitee.email)
    return {
      asked: 'POST /api/v1/bookings, then GET the booking until it is settled',
      answered: `${first.status} ${first.body.status}, found out: ${body.status}; at Calendly ${hers.length} booking of hers`,
      held: body.status === 'confirmed' && hers.length === 1
    }
  })
