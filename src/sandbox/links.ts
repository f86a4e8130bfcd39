import { randomBytes } from 'node:crypto'
import type { Current } from './current.ts'
import { ApiError, notFound } from './errors.ts'
import { site } from './identifiers.ts'
import { noTracking } from './invitation.ts'
import type { EventType, SchedulingLink, Tracking } from './records.ts'

export type Links = ReturnType<typeof createLinks>

/** What the query of its address fills in on a page. */
type Prefilled = { name?: string; email?: string; tracking?: Tracking }

/** Where somebody books. */
export type Page = { eventType: EventType; prefilled: Prefilled; onBooked?: () => void }

/** Links that each are good for one booking. */
export function createLinks({ current }: { current: Current }) {
  return {
    make(eventType: EventType): SchedulingLink {
      const code = randomBytes(4).toString('hex')
      const url = `${site}/d/${code.slice(0, 4)}-${code.slice(4)}/${eventType.slug}`
      const link = { url, eventType, isUsed: false }
      current.world.schedulingLinks.set(url, link)
      return link
    },

    /** The page of a link that is still good. Nothing else in its query means anything to it. */
    follow(address: string): Page {
      const { origin, pathname, searchParams } = new URL(address)
      const link = current.world.schedulingLinks.get(origin + pathname)
      if (!link) throw notFound()
      if (link.isUsed) throw new ApiError(400, { message: 'This link has been used.' })
      const { eventType } = link
      const onBooked = () => {
        link.isUsed = true
      }
      return { eventType, prefilled: prefilledBy(searchParams), onBooked }
    }
  }
}

function prefilledBy(query: URLSearchParams): Prefilled {
  const name = query.get('name')
  const email = query.get('email')
  const names = Object.keys(noTracking) as (keyof Tracking)[]
  const given = names.filter((one) => query.has(one)).map((one) => [one, query.get(one)])
  return {
    ...(name && { name }),
    ...(email && { email }),
    ...(given.length > 0 && { tracking: { ...noTracking, ...Object.fromEntries(given) } })
  }
}
