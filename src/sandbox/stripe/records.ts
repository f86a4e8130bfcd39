import { randomBytes } from 'node:crypto'

/** Everything belongs to one account in one mode; for a key of another it does not exist. */
export type Owner = { account: string; livemode: boolean }

export const standardAccount = 'acct_sandbox'

export const isOwnedBy =
  ({ account, livemode }: Owner) =>
  (record: Owner) =>
    record.account === account && record.livemode === livemode

export const newId = (prefix: string) => `${prefix}_${randomBytes(12).toString('hex')}`

/** Seconds since 1970, as Stripe writes an instant. */
export type Dated = { id: string; created: number }

export type RefundStatus = 'pending' | 'requires_action' | 'succeeded' | 'failed' | 'canceled'

/** The request that did it; nobody's where somebody used the dashboard, or time did it. */
export type By = { request: string | null; key: string | null }
export const nobody: By = { request: null, key: null }

export type Charge = Owner &
  Dated & {
    intent: PaymentIntent
    amount: number
    captured: number
    currency: string
    status: 'succeeded' | 'pending' | 'failed'
    metadata: Record<string, string>
    refunds: Refund[]
    disputes: Dispute[]
  }

export type PaymentIntent = Owner &
  Dated & {
    amount: number
    currency: string
    status: string
    metadata: Record<string, string>
    /** Undefined before anything was tried. */
    charge?: Charge
  }

export type Refund = Owner &
  Dated & {
    charge: Charge
    amount: number
    status: RefundStatus
    reason: string | null
    instructionsEmail?: string | undefined
    failureReason?: string
    metadata: Record<string, string>
    by: By
    /** What it has been, oldest first, by the sandbox's clock in epoch milliseconds. */
    history: { status: RefundStatus; at: number }[]
    /** What it becomes by itself, and when. */
    turns: { status: RefundStatus; at: number; failureReason?: string | undefined }[]
  }

export type Dispute = Owner &
  Dated & {
    charge: Charge
    amount: number
    status: string
    reason: string
  }

export type StripeEvent = Owner &
  Dated & {
    type: string
    object: Record<string, unknown>
    previous?: Record<string, unknown> | undefined
    by: By
  }

/** Whether its amount is taken of the charge. */
export const counts = ({ status }: Refund) => status !== 'failed' && status !== 'canceled'

export const refundedOf = (charge: Charge): number =>
  charge.refunds.filter(counts).reduce((sum, { amount }) => sum + amount, 0)

/** An inquiry takes no money yet, and one that was won has given it back. */
export const isInTheWay = ({ status }: Dispute) => status !== 'won' && !status.startsWith('warning_')
