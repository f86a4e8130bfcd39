import type { Json, Stage } from './stage.ts'

export const zone = 'America/New_York'
const dayMs = 86_400_000

/** Days with their free times in the next two months. */
export async function freeDays(stage: Stage, more = ''): Promise<{ status: number; days: Json[] }> {
  const { call, now, eventTypes } = stage
  const range = new URLSearchParams({
    event_type: eventTypes.meeting,
    start_time: new Date(now()).toISOString(),
    end_time: new Date(now() + 60 * dayMs).toISOString(),
    timezone: zone
  })
  const { status, body } = await call('GET', `/api/v1/availability?${range}${more}`)
  return { status, days: body.days }
}

/** What is sent to book a time for somebody. */
export const wishOf = ({ eventTypes, emailOf }: Stage, name: string, startTime: string) => ({
  event_type: eventTypes.meeting,
  start_time: startTime,
  invitee: { name, email: emailOf(name), timezone: zone },
  location: { kind: 'google_conference' },
  metadata: { order: '4711' }
})
