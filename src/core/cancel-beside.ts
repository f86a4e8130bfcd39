import type { Booking, Change } from './booking.ts'
import type { BookingTables } from './booking-tables.ts'
import type { CancellationFact } from './calendly.ts'
import type { CancelIntent } from './cancel-request.ts'
import { recordCanceled } from './recording.ts'
import type { Standing } from './standing.ts'

/**
 * For a booking whose event was canceled under it by `intent`, another's. Only a host, or a system, cancels for
 * others: what one invitee wanted, and why, is nothing of theirs, and to Calendly it was the host.
 */
export async function cancelBeside(
  tables: BookingTables,
  other: Booking,
  intent: Change | undefined,
  fact: CancellationFact | undefined,
  now: number
): Promise<void> {
  if (intent?.kind === 'cancel' && intent.cancelerType !== 'invitee') {
    await recordCanceled(tables, { ...other, change: other.change ?? forOthers(intent) }, now, fact)
    return
  }
  const canceledBy = fact?.cancelerType === 'invitee' ? undefined : fact?.canceledBy
  const createdAt = fact?.createdAt ?? intent?.requestedAt
  await recordCanceled(tables, other, now, { cancelerType: 'host', canceledBy, createdAt })
}

/** An amount was named for one payment alone: the others' go by the policy. */
function forOthers(intent: CancelIntent): CancelIntent {
  return typeof intent.refund === 'object' ? { ...intent, refund: 'policy' } : intent
}

/** What Calendly is told, and tells everybody in the event: why one invitee cancels is nothing of the others'. */
export function reasonFor({ change }: Booking, standing: Standing): string | undefined {
  if (change?.kind !== 'cancel') return undefined
  const isPrivate = change.cancelerType === 'invitee' && standing.kind === 'active' && standing.isShared
  return isPrivate ? undefined : change.reason
}
