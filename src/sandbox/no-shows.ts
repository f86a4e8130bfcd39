import { randomUUID } from 'node:crypto'
import type { Current } from './current.ts'
import { invalid } from './errors.ts'
import { uriOf } from './identifiers.ts'
import type { Notice } from './notices.ts'
import type { Invitee, NoShow } from './records.ts'

export type NoShows = ReturnType<typeof createNoShows>

type Deps = { current: Current; publish: (notices: readonly Notice[]) => void }

export function createNoShows({ current, publish }: Deps) {
  const { clock } = current

  return {
    mark(invitee: Invitee): NoShow {
      if (invitee.event.start > clock.now()) {
        throw invalid({ parameter: 'invitee', message: 'Event is not started yet' })
      }
      if (invitee.noShow) throw invalid({ parameter: 'invitee', message: 'is already marked as no show' })
      const createdAt = clock.stamp()
      const noShow = { uri: uriOf('invitee_no_shows', randomUUID()), invitee, createdAt }
      current.world.noShows.set(noShow.uri, noShow)
      invitee.noShow = noShow
      invitee.updatedAt = createdAt
      publish([{ event: 'invitee_no_show.created', invitee }])
      return noShow
    },

    clear({ uri, invitee }: NoShow) {
      current.world.noShows.delete(uri)
      delete invitee.noShow
      invitee.updatedAt = clock.stamp()
      publish([{ event: 'invitee_no_show.deleted', invitee }])
    }
  }
}
