import { standard } from '../../../src/sandbox/standard.ts'
import type { Stage } from './stage.ts'

const { thirtyMinutes, introCall, workshop } = standard.eventTypes
/** Of those who book, how many give it up again later. */
const givenUp = 0.2
/** How often Calendly tells everything of a round twice. */
const twice = 0.2

export type People = ReturnType<typeof createPeople>

/** People who book on Calendly's page, alone and in groups, and some of whom cancel. */
export function createPeople(stage: Stage) {
  const coming: string[] = []
  let rounds = 0

  return {
    /** Makes Calendly send at least as many webhooks. */
    async act(webhooks: number): Promise<void> {
      const eventType = [thirtyMinutes, introCall, workshop][rounds++ % 3]
      const cancels = Math.min(coming.length, Math.floor(webhooks * givenUp))
      await stage.control('POST', '/webhooks/mode', { duplicate: stage.random() < twice })
      const { invitees } = await stage.control('POST', '/book-many', {
        event_type: eventType,
        count: webhooks - cancels
      })
      for (let n = 0; n < cancels; n++) {
        const [invitee] = coming.splice(Math.floor(stage.random() * coming.length), 1)
        await stage.control('POST', '/cancel', { invitee })
      }
      coming.push(...invitees)
    }
  }
}
