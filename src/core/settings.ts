/** What is kept free before and after an appointment, in milliseconds. */
export type Buffers = { beforeMs: number; afterMs: number }

/** Ours for an event type, on top of Calendly's own. */
export type EventTypeSettings = {
  bufferBeforeMinutes: number
  bufferAfterMinutes: number
  minimumNoticeMinutes: number
  /** Live bookings and holds per calendar day in the owner's zone; no limit without it. */
  maxPerDay?: number | undefined
  refundPolicy: string
}

export const defaultSettings: EventTypeSettings = {
  bufferBeforeMinutes: 0,
  bufferAfterMinutes: 0,
  minimumNoticeMinutes: 0,
  refundPolicy: 'default'
}

const minuteMs = 60_000

export function buffersOf({ bufferBeforeMinutes, bufferAfterMinutes }: EventTypeSettings): Buffers {
  return { beforeMs: bufferBeforeMinutes * minuteMs, afterMs: bufferAfterMinutes * minuteMs }
}

/** Whether less than the minimum notice is left until the start. */
export function isTooSoon(
  { minimumNoticeMinutes }: EventTypeSettings,
  startTime: number,
  now: number
): boolean {
  return startTime < now + minimumNoticeMinutes * minuteMs
}

export function isSameSettings(a: EventTypeSettings, b: EventTypeSettings): boolean {
  return (
    a.bufferBeforeMinutes === b.bufferBeforeMinutes &&
    a.bufferAfterMinutes === b.bufferAfterMinutes &&
    a.minimumNoticeMinutes === b.minimumNoticeMinutes &&
    a.maxPerDay === b.maxPerDay &&
    a.refundPolicy === b.refundPolicy
  )
}
