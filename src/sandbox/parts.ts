import type { Current } from './current.ts'
import type { Deliveries } from './deliveries.ts'
import type { Faults } from './faults.ts'
import type { Journal } from './journal.ts'
import type { Links } from './links.ts'
import type { NoShows } from './no-shows.ts'
import type { Quotas } from './quotas.ts'
import type { Scheduling } from './scheduling.ts'
import type { Stripe } from './stripe/stripe.ts'

/** What the sandbox is made of, as its routes and its control see it. */
export type Parts = {
  current: Current
  scheduling: Scheduling
  noShows: NoShows
  links: Links
  deliveries: Deliveries
  quotas: Quotas
  faults: Faults
  journal: Journal
  stripe: Stripe
  reset: (seed: unknown) => void
}
