import t from 'tap'
import { momentOf } from '../../src/core/refund-plan.ts'
import { defaultPolicy } from '../../src/core/refund-policy.ts'
import { firstStartOf, type QuoteRequest, quote } from '../../src/core/refund-quote.ts'
import { aBooking } from '../support/samples.ts'

const hourMs = 3_600_000
const booking = aBooking()
const { startTime } = booking
const policy = { ...defaultPolicy, name: 'strict', version: 3 }

const quoted = (changes: Partial<QuoteRequest> = {}) =>
  quote({
    ...{ policy, booking, at: startTime - 13 * hourMs, cancelerType: 'invitee' },
    ...{ trigger: 'cancellation', wanted: 'policy' },
    charge: { captured: 10_001, reserved: 0, elsewhere: 0, currency: 'usd' },
    ...changes
  })
const charge = (changes: Partial<QuoteRequest['charge']>) => ({
  ...{ captured: 10_000, reserved: 0, elsewhere: 0, currency: 'usd', ...changes }
})

t.test('a quote says how much, of what, and by which rule of which policy', async (t) => {
  t.same(quoted(), {
    refundable: true,
    amount: 5_000,
    currency: 'usd',
    percentHundredths: 5_000,
    rule: 'notice_12h',
    noticeMs: 13 * hourMs,
    policy: { name: 'strict', version: 3 },
    charged: 10_001,
    alreadyRefunded: 0
  })
})

t.test('a percentage is of what is left after refunds here and in Stripe itself', async (t) => {
  t.match(quoted({ charge: charge({ reserved: 3_000, elsewhere: 1_001 }) }), {
    refundable: true,
    amount: 2_999,
    charged: 10_000,
    alreadyRefunded: 4_001
  })
  t.match(quoted({ charge: charge({ reserved: 10_000 }) }), { refundable: false, amount: 0 })
  t.match(quoted({ charge: charge({ reserved: 8_000, elsewhere: 3_000 }) }), { refundable: false, amount: 0 })
  t.match(quoted({ charge: charge({ captured: 0 }) }), { refundable: false, amount: 0, charged: 0 })
})

t.test('what a caller wants goes before the policy, and says so', async (t) => {
  const late = { at: startTime - hourMs }
  t.match(quoted(late), { refundable: false, amount: 0, percentHundredths: 0, rule: 'notice_0h' })
  t.match(quoted({ ...late, wanted: 'full' }), { refundable: true, amount: 10_001, rule: 'full' })
  t.match(quoted({ wanted: 'none' }), { refundable: false, amount: 0, rule: 'none' })
  const named = quoted({ ...late, wanted: { amount: 700 } })
  t.match(named, { refundable: true, amount: 700, rule: 'amount', policy: { name: 'strict' } })
  t.equal(named.percentHundredths, undefined)
  t.match(quoted({ wanted: { amount: 10_001 } }), { refundable: true })
  t.match(quoted({ wanted: { amount: 10_002 } }), { refundable: false, amount: 10_002 })
})

t.test('everything of a currency with a larger quantum is what of it can be paid', async (t) => {
  t.match(quoted({ wanted: 'full', charge: charge({ captured: 5_050, currency: 'isk' }) }), { amount: 5_000 })
  t.match(quoted({ charge: charge({ captured: 12_350, currency: 'kwd' }) }), { amount: 6_170 })
})

t.test('no-shows and hosts have percentages of their own', async (t) => {
  const of = { ...policy, hostCancelPercentHundredths: 8_000, noShowPercentHundredths: 1_000 }
  t.match(quoted({ policy: of, cancelerType: 'host' }), { amount: 8_000, rule: 'host_cancel' })
  t.match(quoted({ policy: of, trigger: 'no_show', at: startTime + hourMs }), {
    amount: 1_000,
    rule: 'no_show'
  })
})

t.test(
  'news that come 20 hours late change nothing: it is the moment of the cancellation that counts',
  async (t) => {
    const canceledAt = startTime - 25 * hourMs
    const cancellation = { cancelerType: 'invitee', canceledAt } as const
    t.match(quoted({ at: momentOf(cancellation) }), { amount: 10_001, rule: 'notice_24h' })
    const requestedAt = startTime - 24 * hourMs
    const slow = { ...cancellation, canceledAt: startTime - 23 * hourMs, requestedAt }
    t.match(quoted({ at: momentOf(slow) }), { amount: 10_001, rule: 'notice_24h' }, 'asked of us in time')
  }
)

t.test('who moves far away to cancel for nothing pays where the first start counts', async (t) => {
  const moves = [1, 2].map((week) => ({
    from: startTime - (3 - week) * 168 * hourMs,
    to: startTime - (2 - week) * 168 * hourMs,
    at: startTime - 500 * hourMs
  }))
  const moved = { startTime, reschedules: moves }
  const first = startTime - 336 * hourMs
  t.equal(firstStartOf(moved), first)
  t.equal(firstStartOf({ startTime, reschedules: [] }), startTime)
  const at = first - hourMs
  t.match(quoted({ booking: moved, at }), { amount: 10_001, rule: 'notice_24h', noticeMs: 337 * hourMs })
  const sticky = { ...policy, clock: 'first_start' } as const
  t.match(quoted({ booking: moved, at, policy: sticky }), { amount: 0, rule: 'notice_0h', noticeMs: hourMs })
})
