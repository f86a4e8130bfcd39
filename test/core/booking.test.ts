import t from 'tap'
import {
  type BookingStatus,
  isOpen,
  isSought,
  isUnresolved,
  resolutionOf,
  sessionOf
} from '../../src/core/booking.ts'
import { aBooking, tuesday } from '../support/samples.ts'

const at = tuesday
const statuses: BookingStatus[] = [
  'pending',
  'unknown',
  'confirmed',
  'canceled',
  'rejected',
  'needs_attention'
]
const those = (is: (booking: { status: BookingStatus }) => boolean) =>
  statuses.filter((status) => is({ status }))

t.test(
  'a booking is unresolved while Calendly’s answer is out, and sought until a human is asked',
  async (t) => {
    t.same(those(isUnresolved), ['pending', 'unknown', 'needs_attention'])
    t.same(those(isSought), ['pending', 'unknown'])
  }
)

t.test('a booking is open while it is sought or a change of it is under way', async (t) => {
  t.same(those(isOpen), ['pending', 'unknown'])
  const cancel = {
    state: 'unknown',
    requestedAt: at,
    cancelerType: 'host',
    canceledBy: 'Hedy',
    scope: 'event'
  } as const
  t.equal(isOpen({ status: 'confirmed', change: { kind: 'cancel', ...cancel } }), true)
  t.equal(isOpen({ status: 'confirmed', change: { kind: 'move', state: 'pending', requestedAt: at } }), true)
})

t.test('a search begins when it is first asked how far it is', async (t) => {
  t.same(resolutionOf({}, at), { since: at, lookups: 0, posts: 1 })
  const resolution = { since: at - 1, lookups: 2, posts: 2 }
  t.same(resolutionOf({ resolution }, at), resolution)
})

t.test('a one-on-one booking is a session of its own, the seats of a group share one', async (t) => {
  t.equal(sessionOf(aBooking()), 'bkg_1')
  const [seat, other] = [aBooking({ isGroup: true }), aBooking({ id: 'bkg_2', isGroup: true })]
  t.equal(sessionOf(seat), sessionOf(other))
  t.not(sessionOf(seat), sessionOf(aBooking({ isGroup: true, startTime: tuesday + 1 })))
})
