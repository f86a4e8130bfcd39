import Stripe from 'stripe'
import type { StripeHint } from '../core/payments.ts'
import type { StripeVerdict } from '../core/stripe-hints.ts'

const toleranceSeconds = 300
/** Visible ASCII, `name=value` between commas. Over anything else the library stumbles. */
const headerPattern = /^[!-+\--<>-~]+=[!-+\--<>-~]+(,[!-+\--<>-~]+=[!-+\--<>-~]+)*$/

type Delivery = { header: unknown; body: Uint8Array; secrets: readonly string[]; now: number }

/**
 * Whether Stripe has sent this, by any of the secrets, in the last five minutes; and what it speaks of. `now` is in
 * epoch milliseconds.
 */
export function verifyStripeWebhook({ header, body, secrets, now }: Delivery): StripeVerdict {
  const text = decode(body)
  if (text === undefined || typeof header !== 'string' || !headerPattern.test(header)) return forged
  for (const secret of secrets) {
    try {
      const event = Stripe.webhooks.constructEvent(text, header, secret, toleranceSeconds, undefined, now)
      const hint = hintIn(event)
      return hint ? { kind: 'genuine', hint } : unreadable
    } catch (error) {
      // What was signed is parsed once its signature is found to be good.
      if (error instanceof SyntaxError) return unreadable
    }
  }
  return forged
}

const forged: StripeVerdict = { kind: 'forged' }
const unreadable: StripeVerdict = { kind: 'unreadable' }

/** The library would replace what is no UTF-8 and drop a byte order mark, and so take other bytes for those signed. */
function decode(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return undefined
  }
}

/** Read loosely: a signature says who wrote it, not what. */
function hintIn(event: unknown): StripeHint | undefined {
  if (!isObject(event)) return undefined
  const { id, type, livemode, data } = event
  if (typeof id !== 'string' || typeof type !== 'string' || typeof livemode !== 'boolean') return undefined
  const subject = isObject(data) && isObject(data.object) ? data.object : {}
  const named = subject.object === 'charge' ? subject.id : (subject.charge ?? subject.latest_charge)
  const charge = isObject(named) ? named.id : named
  return { id, type, livemode, charge: typeof charge === 'string' ? charge : undefined }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
