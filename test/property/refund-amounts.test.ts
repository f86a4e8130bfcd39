import fc from 'fast-check'
import t from 'tap'
import { partOf, quantumOf } from '../../src/core/money.ts'
import { defaultPolicy } from '../../src/core/refund-policy.ts'
import { quote } from '../../src/core/refund-quote.ts'
import { aBooking } from '../support/samples.ts'

const currency = fc.constantFrom('usd', 'eur', 'jpy', 'krw', 'bhd', 'jod', 'kwd', 'omr', 'tnd', 'isk', 'ugx')
const amount = fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.maxSafeNat())
const percentHundredths = fc.integer({ min: 0, max: 10_000 })

t.test('a part is whole, what the currency can pay, and the most that is not too much', async (t) => {
  fc.assert(
    fc.property(currency, amount, percentHundredths, (currency, amount, percentHundredths) => {
      const part = partOf(amount, percentHundredths, currency)
      const quantum = quantumOf(currency)
      const exact = BigInt(amount) * BigInt(percentHundredths)
      return (
        Number.isSafeInteger(part) &&
        part >= 0 &&
        part <= amount &&
        part % quantum === 0 &&
        BigInt(part) * 10_000n <= exact &&
        BigInt(part + quantum) * 10_000n > exact
      )
    }),
    { numRuns: 100_000 }
  )
  t.pass('in 100,000 runs')
})

t.test('refunds in parts of what is left never come to more than the charge', async (t) => {
  const parts = fc.array(percentHundredths, { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(currency, amount, amount, parts, (currency, captured, taken, parts) => {
      const elsewhere = taken % (captured + 1)
      let reserved = 0
      for (const percentHundredths of parts) {
        const tiers = [{ noticeHours: 0, percentHundredths }]
        const due = quote({
          ...{ policy: { ...defaultPolicy, tiers }, booking: aBooking(), at: 0 },
          ...{ charge: { captured, reserved, elsewhere, currency }, cancelerType: 'invitee' },
          ...{ trigger: 'cancellation', wanted: 'policy' }
        })
        if (due.amount % quantumOf(currency) !== 0 || due.refundable !== due.amount > 0) return false
        reserved += due.amount
        if (reserved + elsewhere > captured) return false
      }
      return true
    }),
    { numRuns: 20_000 }
  )
  t.pass('in 20,000 runs')
})
