import {
  type By,
  type Charge,
  type Dispute,
  newId,
  nobody,
  type Owner,
  type PaymentIntent,
  type Refund,
  type StripeEvent
} from './records.ts'

export type Books = ReturnType<typeof createBooks>

type Told = {
  object: Record<string, unknown>
  /** What was otherwise before. */
  previous?: Record<string, unknown>
  by?: By
}

/** What was paid, refunded, disputed and told of it, by the sandbox's clock. */
export function createBooks(now: () => number, notify: (event: StripeEvent) => void) {
  const intents = new Map<string, PaymentIntent>()
  const charges = new Map<string, Charge>()
  const refunds = new Map<string, Refund>()
  const disputes = new Map<string, Dispute>()
  const events = new Map<string, StripeEvent>()
  const seconds = () => Math.floor(now() / 1000)

  return {
    ...{ intents, charges, refunds, disputes, events, now },

    /** What every new record begins with. */
    dated: (prefix: string) => ({ id: newId(prefix), created: seconds() }),

    tell(type: string, { account, livemode }: Owner, { object, previous, by = nobody }: Told) {
      const event = { id: newId('evt'), created: seconds(), account, livemode, type, object, previous, by }
      events.set(event.id, event)
      notify(event)
    },

    clear() {
      for (const records of [intents, charges, refunds, disputes, events]) records.clear()
    }
  }
}
