const dayMs = 86_400_000
const minuteMs = 60_000

/** `id` names the whole aligned window; `startTime` may lie later in it, since Calendly refuses the past. */
export type Window = { id: number; startTime: number; endTime: number }

/**
 * Cuts a range into windows aligned to multiples of `windowDays` since the epoch, so that different callers
 * ask for the same ones. The first starts a full minute from now at the earliest.
 */
export function cutIntoWindows(
  range: { startTime: number; endTime: number },
  { windowDays, now }: { windowDays: number; now: number }
): Window[] {
  const windowMs = windowDays * dayMs
  const earliest = Math.ceil((now + minuteMs) / minuteMs) * minuteMs
  const from = Math.max(range.startTime, earliest)
  if (from >= range.endTime) return []

  const windows: Window[] = []
  for (let id = Math.floor(from / windowMs) * windowMs; id < range.endTime; id += windowMs) {
    windows.push({ id, startTime: Math.max(id, earliest), endTime: id + windowMs })
  }
  return windows
}
