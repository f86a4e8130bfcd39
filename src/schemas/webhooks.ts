import { z } from 'zod'
import { textIn } from './common.ts'

export const webhookSlot = z.strictObject({ slot: textIn(64) })

/** Only described here: the route verifies and keeps raw bytes, whatever they say. */
export const webhookIn = z
  .unknown()
  .meta({ type: 'object', description: "Calendly's delivery, byte for byte; at most 256 KB" })

/** The same for Stripe's. */
export const stripeWebhookIn = z
  .unknown()
  .meta({ type: 'object', description: "Stripe's event, byte for byte; at most 256 KB" })
