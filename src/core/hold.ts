import type { Buffers } from './settings.ts'

export type HoldStatus = 'active' | 'used' | 'released' | 'expired' | 'lost'

export type Hold = {
  id: string
  tenantId: string
  /** The caller's name: to everybody else there is no such hold. */
  caller: string
  status: HoldStatus
  eventType: string
  isGroup: boolean
  startTime: number
  endTime: number
  /** Whose time it may take: all of them, or any one. */
  hosts: readonly string[]
  mode: 'all' | 'any'
  /** Kept free around it, as the event type's settings were when it was made. */
  buffers?: Buffers | undefined
  bookingId?: string | undefined
  expiresAt: number
  createdAt: number
  updatedAt: number
}

/** The one table of what may become of a hold. Used and given back: Calendly refused the booking. */
const transitions: Readonly<Record<HoldStatus, readonly HoldStatus[]>> = {
  active: ['used', 'released', 'expired', 'lost'],
  used: ['active', 'expired', 'lost'],
  released: [],
  expired: [],
  lost: []
}

/** An impossible change is a bug and throws. */
export function assertHoldMay({ id, status }: Pick<Hold, 'id' | 'status'>, next: HoldStatus): void {
  if (!transitions[status].includes(next)) throw new Error(`${id} cannot go from ${status} to ${next}`)
}
