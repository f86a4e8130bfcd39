import type { AvailableTime, EventType } from './calendly.ts'
import { createSharing } from './sharing.ts'

const dayMs = 86_400_000

type Deps = {
  calendly: {
    /** Past the cache. */
    timesToBook: (query: {
      eventType: string
      startTime: number
      endTime: number
    }) => Promise<readonly AvailableTime[]>
  }
}

/** What Calendly offers at this moment. */
export function createOffers({ calendly }: Deps) {
  const share = createSharing<readonly AvailableTime[]>()

  /** Calendly is asked for days, so all who want a time of one day share the answer. */
  const readDay = (eventType: string, startTime: number) =>
    calendly.timesToBook({ eventType, startTime, endTime: startTime + dayMs })

  return {
    /** The time that starts just then, read past the cache. Throws `event_type_not_found`, `calendly_unavailable`. */
    async find({ uri }: Pick<EventType, 'uri'>, startTime: number): Promise<AvailableTime | undefined> {
      const day = Math.floor(startTime / dayMs) * dayMs
      const times = await share(`${uri}\n${day}`, () => readDay(uri, day))
      return times.find((time) => time.startTime === startTime)
    }
  }
}

export type Offers = ReturnType<typeof createOffers>
