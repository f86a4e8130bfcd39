import type { EventFact, InviteeFact } from './calendly.ts'
import { AppError } from './errors.ts'
import type { Facts } from './facts.ts'
import { agrees, type KnownSeat } from './reconciliation-compare.ts'
import { type RunLog, Superseded } from './reconciliation-log.ts'
import type { Patience } from './reconciliation-patience.ts'
import { type Reading, repair } from './reconciliation-repair.ts'
import { seatIn } from './second-look.ts'
import type { System } from './system.ts'

export type LookDeps = {
  system: Pick<System, 'now'>
  facts: Facts
  calendly: {
    /** Undefined where the event is not to be seen; nothing in place of what cannot be read. */
    pageOfInvitees: (
      event: string,
      token?: string
    ) => Promise<{ invitees: readonly (InviteeFact | undefined)[]; next: string | undefined } | undefined>
    dropAvailability: (eventType: string, hosts: readonly string[]) => void
  }
  log: { error: (fields: object, phrase: string) => void }
}

type Run = {
  tenantId: string
  /** No-shows, too, which only the invitees tell of. */
  isDeep: boolean
  log: RunLog
  patient: Patience
}

/** Compares one event of Calendly's with ours. Its invitees are asked for only where something may have been missed. */
export function createLook({ system, facts, calendly, log: machineLog }: LookDeps, run: Run) {
  const { tenantId, isDeep, log, patient } = run

  return async function look(event: EventFact, seats: readonly KnownSeat[], askedAt: number): Promise<void> {
    log.count('events')
    const isAgreed = agrees(event, seats)
    const hasBegun = event.status === 'active' && event.startTime <= system.now()
    if (isAgreed && !(isDeep && hasBegun)) return
    for await (const invitee of inviteesOf(event)) {
      const seat = seats.find(({ uri }) => uri === invitee.uri)
      const isKnown = isAgreed && seat?.booking.noShow === (invitee.noShow !== undefined)
      if (!isKnown) await apply({ tenantId, invitee: seatIn(event, invitee), event, askedAt, seat })
    }
  }

  async function* inviteesOf(event: EventFact): AsyncGenerator<InviteeFact> {
    let token: string | undefined
    do {
      const page = await patient(() => calendly.pageOfInvitees(event.uri, token))
      log.count('calls')
      if (!page) return unreadable(event, 'Calendly does not show its invitees.')
      for (const invitee of page.invitees) {
        log.count('invitees')
        if (invitee) yield invitee
        else await unreadable(event, 'What Calendly says of an invitee cannot be read.')
      }
      token = page.next === token ? undefined : page.next
    } while (token !== undefined)
  }

  function unreadable({ uri }: EventFact, detail: string): Promise<void> {
    return log.report({ kind: 'unreadable', calendlyEvent: uri, detail, repaired: false })
  }

  async function apply(reading: Reading): Promise<void> {
    const { eventType, uri, hosts } = reading.event
    try {
      const found = await log.change((tables) => repair(tables, facts, reading, system.now()))
      if (found > 0 && eventType !== undefined)
        calendly.dropAvailability(
          eventType,
          hosts.map(({ user }) => user)
        )
    } catch (error) {
      const isAway = error instanceof AppError && error.code === 'database_unavailable'
      if (isAway || error instanceof Superseded) throw error
      // One that cannot be applied must not keep the others from it.
      machineLog.error({ err: error, event: uri }, 'difference from Calendly not repaired')
      await log.report({ kind: 'not_applied', calendlyEvent: uri, repaired: false })
    }
  }
}

export type Look = ReturnType<typeof createLook>
