import type { BookingTables, Transact } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import type { Seen } from './look-up.ts'

/** A delivery waits no longer than this for what came before it. */
const patienceMs = 3_000
const mostPlaces = 10

type Deps = {
  transact: Transact
  calendly: {
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    findEvent: (uri: string) => Promise<EventFact | undefined>
    inTime: <T>(work: Promise<T>, ms: number) => Promise<T>
  }
}

/** Whom an invitee was moved from, where nothing has told of that yet: read from Calendly, outside any transaction. */
export function createPredecessors({ transact, calendly }: Deps) {
  return {
    /** Oldest first, as many as can be read in time; whatever is missing is told some day. */
    async find(tenantId: string, invitee: InviteeFact): Promise<Seen[]> {
      const found: Seen[] = []
      await calendly.inTime(walk(tenantId, invitee, found), patienceMs).catch(() => {})
      return found.toReversed()
    }
  }

  async function walk(tenantId: string, { oldInvitee }: InviteeFact, found: Seen[]): Promise<void> {
    let uri = oldInvitee
    while (uri !== undefined && found.length < mostPlaces) {
      const named = uri
      if (await transact((tables) => isKnown(tables, tenantId, named))) return
      const invitee = await calendly.findInvitee(named)
      const event = invitee && (await calendly.findEvent(invitee.event))
      if (!invitee || !event) return
      found.push({ invitee, event })
      uri = invitee.oldInvitee
    }
  }
}

export type Predecessors = ReturnType<typeof createPredecessors>

/** Whether anything was heard of it, were it only from a neighbour. */
export async function isKnown(
  { invitees }: Pick<BookingTables, 'invitees'>,
  tenantId: string,
  uri: string
): Promise<boolean> {
  return (await invitees.find(tenantId, [uri])).length > 0
}
