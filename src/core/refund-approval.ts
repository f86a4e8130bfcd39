import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import type { Refund } from './refund.ts'
import { auditRefund } from './refund-audit.ts'
import { lockRefund } from './refund-outcomes.ts'
import { changeRefund, refundLeaseMs } from './refund-recording.ts'
import type { RefundSubmission } from './refund-submission.ts'
import type { RefundReads, TransactRefunds } from './refund-tables.ts'
import type { System } from './system.ts'

type Deps = {
  system: Pick<System, 'now'>
  transact: TransactRefunds
  reads: Pick<RefundReads, 'find'>
  submission: Pick<RefundSubmission, 'submit'>
}

/** What somebody decides of refunds that wait for it. */
export function createRefundApproval({ system, transact, reads, submission }: Deps) {
  return {
    /** Throws `refund_not_found`, `refund_not_awaiting_approval` and `charge_disputed`: it may wait for its end. */
    async approve(caller: Caller, id: string, execution: Execution): Promise<Refund> {
      return submission.submit(await decide(caller, id, 'requested', execution))
    },

    /** What it had taken of the charge is free again. Throws as `approve` does. */
    reject: (caller: Caller, id: string, execution: Execution): Promise<Refund> =>
      decide(caller, id, 'rejected', execution)
  }

  async function decide(
    caller: Caller,
    id: string,
    status: 'requested' | 'rejected',
    execution: Execution
  ): Promise<Refund> {
    const { tenantId } = caller
    const seen = await reads.find(tenantId, id)
    if (!seen) throw new AppError('refund_not_found')
    if (execution.subject !== undefined) return seen
    return transact(async (tables) => {
      const refund = await lockRefund(tables, seen)
      if (refund.status !== 'awaiting_approval') {
        throw new AppError('refund_not_awaiting_approval', `It is ${refund.status}.`)
      }
      const charge = await tables.charges.lock(tenantId, refund.charge)
      if (status === 'requested' && charge?.dispute) throw new AppError('charge_disputed')
      const now = system.now()
      const leaseMs = status === 'requested' ? refundLeaseMs : undefined
      const decided = await changeRefund(tables, refund, now, { status }, leaseMs)
      await execution.begin(tables, id)
      await auditRefund(tables, caller, decided, status === 'requested' ? 'approved' : 'rejected', now)
      return decided
    })
  }
}

export type RefundApproval = ReturnType<typeof createRefundApproval>
