import { createBooks } from './books.ts'
import { createDisputes } from './disputes.ts'
import { createPayments } from './payments.ts'
import type { StripeEvent } from './records.ts'
import { createRefunds } from './refunds.ts'

export type Account = ReturnType<typeof createAccount>

/** The money of every account: what was paid, refunded and disputed, with the totals that Stripe enforces. */
export function createAccount(now: () => number, notify: (event: StripeEvent) => void) {
  const books = createBooks(now, notify)
  const { clearRefunds, ...refunds } = createRefunds(books)
  return {
    ...books,
    ...createPayments(books),
    ...refunds,
    ...createDisputes(books),
    clear() {
      books.clear()
      clearRefunds()
    }
  }
}
