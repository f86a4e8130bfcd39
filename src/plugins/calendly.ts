import fp from 'fastify-plugin'
import { type Calendly, type CalendlyOptions, type News, openCalendly } from '../calendly/client.ts'
import { createLocalQuota } from '../calendly/local-quota.ts'
import type { KeyPolicy } from '../core/calendly-key.ts'
import { type CalendlyKeySource, createCalendlyKeySource } from '../core/calendly-key-source.ts'
import type { Vault } from '../core/vault.ts'

declare module 'fastify' {
  interface FastifyInstance {
    calendly: Calendly
    calendlyKeySource: CalendlyKeySource
  }
}

type Options = Omit<CalendlyOptions, 'keys' | 'quota' | 'bookingQuota' | 'announce' | 'log'> & {
  /** Of the environment, by name. */
  tokens: readonly { name: string; token: string }[]
  /** Which keys are due to be replaced. */
  keyPolicy: KeyPolicy
  vault: Vault
}

/** Calendly's API as `app.calendly`, with keys and quotas that all replicas share. */
export const calendly = fp<Options>(
  async (app, { tokens, keyPolicy, vault, ...options }) => {
    const { system } = options
    const { bus, bookingQuota, calendlyKeys, minuteQuota, transact } = app.database
    const source = createCalendlyKeySource({
      system,
      transact,
      keys: calendlyKeys,
      vault,
      environment: tokens,
      policy: keyPolicy,
      log: app.log
    })
    const client = openCalendly({
      ...options,
      keys: source,
      quota: minuteQuota ?? createLocalQuota(system),
      bookingQuota,
      announce: (news: News) => bus.publish(JSON.stringify(news)),
      log: app.log
    })
    bus.listen(
      (text) => client.hear(JSON.parse(text) as News),
      () => client.forget()
    )
    app.decorate('calendly', client)
    app.decorate('calendlyKeySource', source)
    // Before the first request, which would be told that there is no key.
    app.addHook('onReady', client.syncKeys)
    app.addHook('onClose', client.close)
  },
  { name: 'calendly', dependencies: ['database'] }
)
