/** What the caller of a cancellation wants to happen to the money; `policy` unless told otherwise. Minor units. */
export type RefundWish = 'policy' | 'full' | 'none' | { amount: number }

/** What is to happen to the money of a booking that has ended; written in the transaction of the fact. */
export type RefundTask = {
  trigger: 'cancellation' | 'no_show'
  /** The moment that counts for the policy: when it was canceled, not when we learned of it. */
  at: number
  cancelerType: 'invitee' | 'host' | 'system'
  wanted: RefundWish
  reason?: string | undefined
}

export type PaymentTaskKind = 'read' | 'refund'

export type PaymentTask = { tenantId: string; bookingId: string; attempts: number; createdAt: number } & (
  | { kind: 'read' }
  | { kind: 'refund'; refund: RefundTask }
)

export type NewPaymentTask = Pick<PaymentTask, 'tenantId' | 'bookingId' | 'createdAt'> &
  ({ kind: 'read' } | { kind: 'refund'; refund: RefundTask })

/** What paying needs of the database in the transaction of a booking's fact. */
export type PaymentTaskTables = {
  paymentTasks: {
    /** Kept as it is where there is one of its kind for the booking already. */
    add: (task: NewPaymentTask) => Promise<void>
    remove: (tenantId: string, bookingId: string, kind: PaymentTaskKind) => Promise<void>
    /** To the booking that another turned out to be a part of, where that has none. */
    reassign: (tenantId: string, from: string, to: string) => Promise<void>
    /** The oldest that is due, leased for `leaseMs` by the database's clock; `attempts` counts this one. */
    take: (leaseMs: number) => Promise<PaymentTask | undefined>
    /** Locks it until the transaction ends; undefined when it has been done meanwhile. */
    lock: (tenantId: string, bookingId: string, kind: PaymentTaskKind) => Promise<PaymentTask | undefined>
    postpone: (tenantId: string, bookingId: string, kind: PaymentTaskKind, byMs: number) => Promise<void>
  }
  refunds: {
    /** To the booking that another turned out to be a part of; one that nobody asked for stays where that has one. */
    reassign: (tenantId: string, from: string, to: string) => Promise<void>
  }
}
