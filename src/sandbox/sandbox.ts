import { accept } from './accept.ts'
import { buildApp } from './app.ts'
import { createClock } from './clock.ts'
import type { Current } from './current.ts'
import { calendlyPace, type DeliveryOptions, openDeliveries } from './deliveries.ts'
import { createFaults } from './faults.ts'
import { createJournal } from './journal.ts'
import { createLinks } from './links.ts'
import { createNoShows } from './no-shows.ts'
import { createQuotas } from './quotas.ts'
import { createScheduling } from './scheduling.ts'
import { type SeedInput, seedSchema } from './seed.ts'
import { standardSeed } from './standard.ts'
import { standardKeys } from './stripe/keys.ts'
import { openStripe } from './stripe/stripe.ts'
import { createWorld } from './world.ts'

export type SandboxOptions = Partial<DeliveryOptions> & {
  /** 0, the default, takes a free one. */
  port?: number
  host?: string
  /** Epoch milliseconds; the sandbox's clock is this plus what the control API adds. */
  now?: () => number
  /** Uniform in [0, 1), for faults with a probability. */
  random?: () => number
  seed?: SeedInput
}

export type Sandbox = Awaited<ReturnType<typeof openSandbox>>

/** A stand-in for Calendly, and for Stripe, on loopback, in memory. */
export async function openSandbox({
  port = 0,
  host = '127.0.0.1',
  now = Date.now,
  random = Math.random,
  seed = standardSeed,
  ...pace
}: SandboxOptions = {}) {
  const clock = createClock(now)
  const worldFrom = (given: unknown) => createWorld(accept(seedSchema, given), clock.stamp)
  const current: Current = { clock, world: worldFrom(seed) }
  const options = { ...calendlyPace, ...pace }
  const deliveries = openDeliveries(current, options)
  const faults = createFaults(random)
  const journal = createJournal()
  const { publish } = deliveries
  const stripe = openStripe({ clock, random, ...options })

  function reset(given: unknown = seed) {
    const world = worldFrom(given)
    clock.reset()
    current.world = world
    deliveries.reset()
    faults.clear()
    journal.clear()
    stripe.reset()
  }

  const app = buildApp({
    current,
    deliveries,
    faults,
    journal,
    stripe,
    links: createLinks({ current }),
    quotas: createQuotas(clock),
    reset,
    scheduling: createScheduling({ current, publish }),
    noShows: createNoShows({ current, publish })
  })
  app.addHook('onClose', async () => {
    await deliveries.close()
    await stripe.close()
  })
  const url = await app.listen({ port, host })

  const { tokens, signingKey } = current.world
  const [first] = tokens
  if (!first) throw new Error('a seed has at least one token')
  return {
    url,
    token: first.value,
    tokens: Object.fromEntries(tokens.map(({ name, value }) => [name, value])),
    signingKey,
    stripeKeys: Object.fromEntries(standardKeys.map(({ name, value }) => [name, value])),
    organization: first.user.organization.uri,
    user: first.user.uri,
    close: () => app.close()
  }
}
