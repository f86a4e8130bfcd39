import type { Caller } from './callers.ts'
import type { Cursors } from './cursor.ts'
import { AppError } from './errors.ts'
import type { LoggedEvent } from './events.ts'
import type { NewsType } from './news-types.ts'

export type EventLogStore = {
  /** Gives every event that has been committed its place in the log, in the order of writing. */
  advance: () => Promise<void>
  /** Called after some have been placed. */
  onPlaced: (listener: () => void) => void
  /** The events behind a place, oldest first, and the last place that is taken at all. */
  page: (
    tenantId: string,
    page: { after: number; types: readonly NewsType[] | undefined; limit: number }
  ) => Promise<{ events: LoggedEvent[]; head: number }>
  /** Its bytes. */
  find: (tenantId: string, id: string) => Promise<Buffer | undefined>
}

export type EventLogState = {
  /** Ever. */
  written: number
  /** Those of them without a place. */
  waiting: number
  /** When the oldest of those happened. */
  waitingSince?: number | undefined
}

export type EventLogQuery = {
  cursor?: string | undefined
  /** All, unless told otherwise. */
  types?: readonly NewsType[] | undefined
  limit: number
}

type Deps = { cursors: Cursors; log: EventLogStore }

/** The events of a tenant in an order that never changes. */
export function createEventLog({ cursors, log }: Deps) {
  return {
    /**
     * Oldest first. The cursor is a place in the log, whatever types were asked for; from it everything that has not been
     * told comes, if ever. Throws `invalid_cursor`.
     */
    async list(
      { tenantId }: Caller,
      { cursor, types, limit }: EventLogQuery
    ): Promise<{ events: LoggedEvent[]; nextCursor: string }> {
      const after = cursor === undefined ? 0 : Number(cursors.decode('events', cursor))
      // Whoever asks finds what was committed before.
      await log.advance()
      const { events, head } = await log.page(tenantId, { after, types, limit })
      if (after > head) {
        throw new AppError('invalid_cursor', 'It lies ahead of the log: has an older database been restored?')
      }
      const last = events.length === limit ? events.at(-1)?.position : undefined
      return { events, nextCursor: cursors.encode('events', String(last ?? head)) }
    },

    /** Its bytes. */
    async get({ tenantId }: Caller, id: string): Promise<Buffer> {
      const body = await log.find(tenantId, id)
      if (!body) throw new AppError('not_found')
      return body
    }
  }
}

export type EventLog = ReturnType<typeof createEventLog>
