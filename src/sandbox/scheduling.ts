import { activeInvitees, assign, blockAt, isOffered, seatsAt, sessionAt } from './availability.ts'
import { checkChoice, locationOf } from './choices.ts'
import type { Current } from './current.ts'
import { denied, invalid } from './errors.ts'
import { idOf, newId, uriOf } from './identifiers.ts'
import type { Notice } from './notices.ts'
import type {
  Cancellation,
  EventType,
  Invitee,
  LocationChoice,
  Payment,
  Person,
  ScheduledEvent,
  User
} from './records.ts'

export type Booking = {
  eventType: EventType
  start: number
  person: Person
  choice: LocationChoice | undefined
  guests: readonly string[]
  method: 'api' | null
  /** What is paid with once the seat is sure. */
  pay?: (() => Payment) | undefined
}

export type Scheduling = ReturnType<typeof createScheduling>

type Deps = { current: Current; publish: (notices: readonly Notice[]) => void }

/** Everything here runs in one turn: between looking at a slot and taking it nobody else gets a word in. */
export function createScheduling({ current, publish }: Deps) {
  const { clock } = current

  function requireSeat(eventType: EventType, start: number, leaving?: ScheduledEvent) {
    if (!isOffered(eventType, start, clock.now())) {
      throw invalid({ parameter: 'event.start_time', message: 'That time is unavailable' })
    }
    if (seatsAt(eventType, start, leaving) < 1) {
      throw invalid({
        parameter: 'event.start_time',
        message: 'That start time has been filled',
        code: 'already_filled'
      })
    }
  }

  function seat(event: ScheduledEvent, person: Person, method: 'api' | null, payment?: Payment): Invitee {
    const createdAt = clock.stamp()
    const invitee: Invitee = {
      person,
      uri: `${event.uri}/invitees/${newId(idOf(event.uri))}`,
      event,
      status: 'active',
      method,
      rescheduled: false,
      payment,
      createdAt,
      updatedAt: createdAt
    }
    current.world.addInvitee(invitee)
    event.updatedAt = createdAt
    return invitee
  }

  /** The session that invitees of a group share, or a new event. */
  function eventAt({ eventType, start, choice, guests }: Omit<Booking, 'person' | 'method' | 'pay'>) {
    const session = sessionAt(eventType, start)
    if (session) {
      session.guests = [...session.guests, ...guests]
      return session
    }
    const id = newId(eventType.id)
    const createdAt = clock.stamp()
    const event: ScheduledEvent = {
      ...blockAt(eventType, start),
      uri: uriOf('scheduled_events', id),
      eventType,
      hosts: assign(eventType, start),
      status: 'active',
      choice,
      location: locationOf(eventType, choice, id),
      guests,
      invitees: [],
      createdAt,
      updatedAt: createdAt
    }
    current.world.addEvent(event)
    return event
  }

  function release(event: ScheduledEvent, cancellation: Cancellation) {
    event.status = 'canceled'
    event.cancellation = cancellation
    event.updatedAt = cancellation.created_at
    current.world.releaseEvent(event)
  }

  function leave(invitee: Invitee, cancellation: Cancellation) {
    invitee.status = 'canceled'
    invitee.cancellation = cancellation
    invitee.updatedAt = cancellation.created_at
    invitee.event.updatedAt = cancellation.created_at
    if (activeInvitees(invitee.event) === 0) release(invitee.event, cancellation)
  }

  const cancellationBy = (
    canceled_by: string,
    canceler_type: 'host' | 'invitee',
    reason: string | null
  ): Cancellation => ({ canceled_by, reason, canceler_type, created_at: clock.stamp() })

  return {
    /** Takes the slot, or throws Calendly's 400. */
    book({ person, method, pay, ...slot }: Booking): Invitee {
      checkChoice(slot.eventType, slot.choice)
      requireSeat(slot.eventType, slot.start)
      const invitee = seat(eventAt(slot), person, method, pay?.())
      publish([{ event: 'invitee.created', invitee }])
      return invitee
    },

    /** What a host does: the whole event, for everybody in it. */
    cancelEvent(event: ScheduledEvent, canceler: User, reason: string | null): Cancellation {
      if (event.status === 'canceled') throw denied('Event is already canceled')
      if (event.start <= clock.now()) throw denied('Event in the past')
      const cancellation = cancellationBy(canceler.name, 'host', reason)
      const leaving = event.invitees.filter(({ status }) => status === 'active')
      for (const invitee of leaving) leave(invitee, cancellation)
      publish(leaving.map((invitee) => ({ event: 'invitee.canceled', invitee })))
      return cancellation
    },

    /** What invitees do through their link: their own seat only. */
    cancelInvitee(invitee: Invitee, reason: string | null) {
      requireActive(invitee, clock.now())
      leave(invitee, cancellationBy(invitee.person.name, 'invitee', reason))
      publish([{ event: 'invitee.canceled', invitee }])
    },

    /**
     * A new event and invitee for the old ones, and two notices. The old time may overlap the new one. Whether Calendly
     * shows the payment of the old one again is not known.
     */
    reschedule(
      old: Invitee,
      start: number,
      by: 'host' | 'invitee',
      reason: string | null,
      isPaymentShown = false
    ): Invitee {
      requireActive(old, clock.now())
      const { eventType, choice, guests } = old.event
      requireSeat(eventType, start, activeInvitees(old.event) === 1 ? old.event : undefined)
      leave(old, cancellationBy(by === 'host' ? nameOfHost(old) : old.person.name, by, reason))
      const payment = isPaymentShown ? old.payment : undefined
      const invitee = seat(eventAt({ eventType, start, choice, guests }), old.person, null, payment)
      invitee.oldInvitee = old
      old.newInvitee = invitee
      old.rescheduled = true
      publish([
        { event: 'invitee.canceled', invitee: old },
        { event: 'invitee.created', invitee }
      ])
      return invitee
    }
  }
}

const nameOfHost = ({ event }: Invitee) => event.hosts[0]?.name ?? event.eventType.name

function requireActive({ status, event }: Invitee, now: number) {
  if (status === 'canceled') throw denied('Event is already canceled')
  if (event.start <= now) throw denied('Event in the past')
}
