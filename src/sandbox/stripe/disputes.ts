import type { Books } from './books.ts'
import type { Charge, Dispute } from './records.ts'
import { disputeBody } from './render.ts'

/** Banks take money back, and sometimes return it. https://docs.stripe.com/disputes */
export function createDisputes({ disputes, dated, tell }: Books) {
  const tellOf = (kind: string, dispute: Dispute, previous?: Record<string, unknown>) =>
    tell(`charge.dispute.${kind}`, dispute, { object: disputeBody(dispute), ...(previous && { previous }) })

  return {
    dispute(charge: Charge, { amount = charge.captured, reason, status }: DisputeWish): Dispute {
      const { account, livemode } = charge
      const dispute: Dispute = { ...dated('du'), account, livemode, charge, amount, reason, status }
      charge.disputes.push(dispute)
      disputes.set(dispute.id, dispute)
      tellOf('created', dispute)
      // An inquiry withdraws nothing.
      if (!status.startsWith('warning_')) tellOf('funds_withdrawn', dispute)
      return dispute
    },

    closeDispute(dispute: Dispute, status: string) {
      const previous = { status: dispute.status }
      dispute.status = status
      if (status === 'under_review') return tellOf('updated', dispute, previous)
      if (status === 'won') tellOf('funds_reinstated', dispute, previous)
      tellOf('closed', dispute, previous)
    }
  }
}

type DisputeWish = { amount?: number | undefined; reason: string; status: string }
