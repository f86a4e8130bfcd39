import type { Booking } from './booking.ts'
import type { ShownKey } from './calendly-key-shown.ts'
import type { Charge } from './charge.ts'
import type { EventEndpoint } from './event-endpoint.ts'
import type { Hold } from './hold.ts'
import type { NewsType } from './news-types.ts'
import type { Refund } from './refund.ts'
import type { ShownSubscription } from './subscription.ts'

/** What an event tells of, as it is at that moment. */
export type NewsData =
  | { booking: Booking }
  | { hold: Hold }
  | { key: ShownKey }
  | { subscription: ShownSubscription }
  | { endpoint: EventEndpoint }
  | { refund: Refund }
  | { charge: Charge }

/** An event that is to be written in the transaction of its fact. */
export type News = {
  tenantId: string
  type: NewsType
  /** What its `sequence` is counted for: an id of ours, or a name that stays. */
  subject: string
  at: number
  data: NewsData
  /** Found by comparing with Calendly or Stripe, not told by it. */
  source?: 'reconciliation' | undefined
}

export type NewsTables = {
  /** Gives it the subject's next number; the subject is locked until the transaction ends. */
  events: { add: (news: News) => Promise<void> }
}

/** An event with its place in the log. `body` is its final bytes. */
export type LoggedEvent = { position: number; body: Buffer }
