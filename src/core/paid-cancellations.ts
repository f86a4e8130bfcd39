import type { Booking } from './booking.ts'
import type { Caller } from './callers.ts'
import type { CancelRequest } from './cancel-request.ts'
import type { Cancellations } from './cancellations.ts'
import type { Execution } from './idempotency.ts'
import type { PaymentTasks } from './payment-tasks.ts'
import type { Refund } from './refund.ts'

/** `isSettled`: neither the booking's end nor what becomes of its money is open. */
export type Canceled = { booking: Booking; refund: Refund | undefined; isSettled: boolean }

type Deps = {
  cancellations: Pick<Cancellations, 'cancel'>
  tasks: Pick<PaymentTasks, 'settle'>
}

/** A cancellation as its caller sees it: the booking is given up, and then the money is decided on. */
export function createPaidCancellations({ cancellations, tasks }: Deps) {
  return {
    /** Throws as `cancellations.cancel` does, and nothing once the booking is canceled. */
    async cancel(
      caller: Caller,
      id: string,
      request: CancelRequest,
      execution: Execution
    ): Promise<Canceled> {
      const booking = await cancellations.cancel(caller, id, request, execution)
      if (booking.status !== 'canceled') return { booking, refund: undefined, isSettled: false }
      const { tenantId } = booking
      const { booking: after = booking, isDecided, refund } = await tasks.settle({ tenantId, bookingId: id })
      return { booking: after, refund, isSettled: isDecided }
    }
  }
}

export type PaidCancellations = ReturnType<typeof createPaidCancellations>
