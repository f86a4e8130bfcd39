import { uriOf } from '../../sandbox/identifiers.ts'
import type { SeedInput } from '../../sandbox/seed.ts'
import { standardSeed } from '../../sandbox/standard.ts'
import { ids } from '../../sandbox/standard-ids.ts'

const host = 'CLARACOACHUTC234'
const coaching = 'COACHINGPAID2345'
const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const

/**
 * The standard seed with somebody who is paid, and can be booked at any hour: what is refunded depends on how many
 * hours are left, and the story is told at all of them.
 */
export const demoSeed: SeedInput = {
  ...standardSeed,
  users: [
    ...standardSeed.users,
    {
      id: host,
      organization: ids.northwind,
      role: 'user',
      name: 'Clara Coach',
      slug: 'clara-coach',
      email: 'clara@northwind.example',
      timezone: 'Etc/UTC',
      rules: days.map((wday) => ({ type: 'wday', wday, intervals: [{ from: '00:00', to: '23:59' }] }))
    }
  ],
  event_types: [
    ...standardSeed.event_types,
    { id: coaching, host, name: 'Coaching', slug: 'coaching', increment_minutes: 15, is_paid: true }
  ]
}

export const coachingType = uriOf('event_types', coaching)
