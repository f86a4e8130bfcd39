import { mostAlternatives, type OpenTime } from './alternatives.ts'
import type { EventType } from './calendly.ts'
import { createSharing } from './sharing.ts'
import type { Slot } from './slots.ts'
import type { System } from './system.ts'

const dayMs = 86_400_000
/** How far before and after it is looked for something else: further only where too little was found. */
const reachesMs = [3 * dayMs, 14 * dayMs, 31 * dayMs] as const

type Opening = {
  slots: readonly Slot[]
  excluded: readonly { startTime: number }[]
  /** Known from before: Calendly cannot be asked now. */
  stale: boolean
}

type OpenTimes = (
  tenantId: string,
  eventType: EventType,
  startTime: number,
  endTime: number,
  fresh?: boolean
) => Promise<Opening>

/** `notAt`: a start that is none. */
export type Offering = { eventType: EventType; hosts: readonly string[]; notAt?: number | undefined }

type Deps = { system: Pick<System, 'now'>; openTimes: OpenTimes }

/** Open times around one that is asked for. */
export function createAlternativeSearch({ system, openTimes }: Deps) {
  const share = createSharing<Opening>()

  /** A stale answer is asked for anew, since what it names may be gone. What is stale even so is left out. */
  async function within(
    reachMs: number,
    tenantId: string,
    { eventType, notAt }: Offering,
    startTime: number
  ) {
    const now = system.now()
    const from = Math.max(now, startTime - reachMs)
    const to = startTime + reachMs
    if (from >= to) return []
    const known = await openTimes(tenantId, eventType, from, to)
    const { slots, stale } = known.stale ? await openTimes(tenantId, eventType, from, to, true) : known
    return stale ? [] : slots.filter((slot) => slot.startTime !== notAt)
  }

  return {
    /** Past the cache, what can be had in the days around: one read for all who ask for times of one day. */
    offered(tenantId: string, eventType: EventType, startTime: number): Promise<Opening> {
      const day = Math.floor(startTime / dayMs) * dayMs
      return share([tenantId, eventType.uri, day].join('\n'), () => {
        const from = Math.max(system.now(), day - reachesMs[0])
        return openTimes(tenantId, eventType, from, day + dayMs + reachesMs[0], true)
      })
    },

    /** Of all the offerings; whoever hosts the first is the same host. Nothing where Calendly cannot be reached. */
    async find(tenantId: string, offerings: readonly Offering[], startTime: number): Promise<OpenTime[]> {
      const [first] = offerings
      const isSameHost = ({ hosts }: Offering) =>
        hosts.length > 0 && hosts.every((host) => first?.hosts.includes(host))
      let open: OpenTime[] = []
      for (const reachMs of reachesMs) {
        const found = await Promise.all(
          offerings.map(async (offering) => {
            const slots = await within(reachMs, tenantId, offering, startTime)
            return slots.map((slot) => openTimeOf(slot, offering === first || isSameHost(offering)))
          })
        )
        open = found.flat()
        // The asked time itself may be among them.
        if (open.length > mostAlternatives) break
      }
      return open
    }
  }
}

export type AlternativeSearch = ReturnType<typeof createAlternativeSearch>

const openTimeOf = ({ eventType, startTime, endTime }: Slot, isSameHost: boolean): OpenTime => ({
  eventType,
  startTime,
  endTime,
  isSameHost
})
