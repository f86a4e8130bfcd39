import { connectedTenant } from './connection.ts'
import { AppError } from './errors.ts'
import type { StripeHint } from './payments.ts'
import type { System } from './system.ts'

/** `unreadable` is genuine, but no event. */
export type StripeVerdict =
  | { kind: 'genuine'; hint: StripeHint }
  | { kind: 'unreadable' }
  | { kind: 'forged' }

/** `hinted` spoke of a charge that we know, `other_mode` of money that is not that of our key. */
export type StripeIntakeResult = 'hinted' | 'ignored' | 'unreadable' | 'other_mode' | 'forged'

/** A request as it came. */
type Incoming = {
  /** Of the signature, whatever was sent. */
  header: unknown
  body: Buffer
  /** Called before a forgery is refused; what it throws is the answer. */
  onForged: () => Promise<void>
}

type Deps = {
  system: Pick<System, 'now'>
  /** Of the key; undefined without one, when nothing is refused for its mode. */
  livemode: boolean | undefined
  secrets: readonly string[]
  verify: (delivery: {
    header: unknown
    body: Uint8Array
    secrets: readonly string[]
    now: number
  }) => StripeVerdict
  /** Lets the charge be read anew, durable once resolved. False for one that we do not know. */
  hint: (tenantId: string, charge: string) => Promise<boolean>
  log: Record<'warn', (fields: object, phrase: string) => void>
}

/** The intake of Stripe's webhooks. Nothing in them is believed: they only say which charge is worth a look. */
export function createStripeHints({ system, livemode, secrets, verify, hint, log }: Deps) {
  const counts: Record<StripeIntakeResult, number> = {
    hinted: 0,
    ignored: 0,
    unreadable: 0,
    other_mode: 0,
    forged: 0
  }
  let lastAt: number | undefined

  async function judge({ header, body, onForged }: Incoming): Promise<StripeIntakeResult> {
    const now = system.now()
    const verdict = verify({ header, body, secrets, now })
    if (verdict.kind === 'forged') {
      counts.forged++
      await onForged()
      throw new AppError('invalid_signature')
    }
    lastAt = now
    if (verdict.kind === 'unreadable') {
      log.warn({}, 'webhook of stripe is genuine but unreadable')
      return 'unreadable'
    }
    const { charge, livemode: itsMode } = verdict.hint
    if (livemode !== undefined && itsMode !== livemode) return 'other_mode'
    const isKnown = charge !== undefined && (await hint(connectedTenant, charge))
    return isKnown ? 'hinted' : 'ignored'
  }

  return {
    /**
     * Resolves once the charge it speaks of is due to be read, or there is nothing to read: the answer is then 204 and
     * Stripe sends it no more. True where there is something to do. Throws `invalid_signature` for anything forged or
     * too old, `validation_failed` for the other mode, `database_unavailable` where the hint could not be kept.
     */
    async accept(incoming: Incoming): Promise<boolean> {
      const result = await judge(incoming)
      counts[result]++
      if (result === 'other_mode') {
        const mode = livemode ? 'test' : 'live'
        throw new AppError('validation_failed', `This is of ${mode} mode, the configured key is not.`)
      }
      return result === 'hinted'
    },

    /** By this process, since it was started. */
    counts: (): Readonly<typeof counts> => ({ ...counts }),
    /** When this process last received a genuine one; epoch milliseconds. */
    lastAt: () => lastAt
  }
}

export type StripeHints = ReturnType<typeof createStripeHints>
