import type { NoShowOutcome, NoShowRemoval } from '../core/calendly.ts'
import type { Call } from './call.ts'
import { statusOf } from './errors.ts'
import { outcomeOf, plainRefusal, unreadable } from './outcomes.ts'
import { pathOf } from './uris.ts'
import { readNoShow } from './wire-bookings.ts'

export function createNoShows({ call }: { call: Call }) {
  return {
    /** Calendly refuses what has not begun, and may refuse whoever is marked already. */
    async markNoShow(invitee: string): Promise<NoShowOutcome> {
      try {
        const { body } = await call(
          { method: 'POST', path: '/invitee_no_shows', body: { invitee } },
          { lane: 'booking' }
        )
        const noShow = readNoShow(body)
        return noShow === undefined ? unreadable : { kind: 'done', ...noShow }
      } catch (error) {
        return outcomeOf(error, plainRefusal)
      }
    },

    /** By the no-show's own URI. Done, too, when there is none any more. */
    async removeNoShow(uri: string): Promise<NoShowRemoval> {
      const path = pathOf('noShow', uri)
      if (path === undefined) return { kind: 'refused', detail: 'Not the URI of a no-show' }
      try {
        await call({ method: 'DELETE', path }, { lane: 'booking' })
        return { kind: 'done' }
      } catch (error) {
        return statusOf(error) === 404 ? { kind: 'done' } : outcomeOf(error, plainRefusal)
      }
    }
  }
}
