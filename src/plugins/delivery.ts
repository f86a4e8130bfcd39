import fp from 'fastify-plugin'
import type { System } from '../core/system.ts'
import { createDnsLookup, type Lookup, lookUpHere } from '../delivery/lookup.ts'
import { openSender, type Sender } from '../delivery/send.ts'
import { anywhere, createTargets, publicOnly, type Targets } from '../delivery/target.ts'

declare module 'fastify' {
  interface FastifyInstance {
    delivery: { targets: Targets; send: Sender['send'] }
  }
}

export type DeliveryOptions = {
  system: System
  userAgent: string
  /** Allows http and addresses that are not public. */
  isDevelopment: boolean
  /** Of names, in place of DNS. */
  lookup?: Lookup | undefined
}

/** What sends events to their endpoints, as `app.delivery`. */
export const delivery = fp<DeliveryOptions>(
  async (app, { system, userAgent, isDevelopment, lookup }) => {
    const targets = createTargets({
      policy: isDevelopment ? anywhere : publicOnly,
      lookup: lookup ?? (isDevelopment ? lookUpHere : createDnsLookup())
    })
    const { send, close } = openSender({ system, userAgent, targets })
    app.decorate('delivery', { targets, send })
    app.addHook('onClose', async () => close())
  },
  { name: 'delivery' }
)
