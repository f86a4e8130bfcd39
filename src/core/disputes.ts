import type { Charge } from './charge.ts'
import type { RefundTables } from './refund-tables.ts'

type Tables = Pick<RefundTables, 'timeline' | 'events'>

/** A dispute that a charge was not known to have is told of, once; that one is over, only in the timeline. */
export async function noteDispute(
  { timeline, events }: Tables,
  charge: Charge,
  before: Pick<Charge, 'dispute'> | undefined,
  at: number
): Promise<boolean> {
  const { tenantId, id, bookingId, dispute } = charge
  const known = before?.dispute
  if (dispute?.id === known?.id && dispute?.status === known?.status) return false
  const booking = { tenantId, id: bookingId }
  if (dispute === undefined) {
    await timeline.add(booking, { at, type: 'dispute_closed', detail: { charge: id, dispute: known?.id } })
  } else {
    const detail = { charge: id, dispute: dispute.id, status: dispute.status }
    await timeline.add(booking, { at, type: 'charge_disputed', detail })
  }
  if (dispute !== undefined && dispute.id !== known?.id) {
    await events.add({ tenantId, type: 'charge.disputed', subject: id, at, data: { charge } })
  }
  return true
}
