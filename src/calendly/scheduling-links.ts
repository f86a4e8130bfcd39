import { AppError } from '../core/errors.ts'
import type { Call } from './call.ts'
import { CalendlyError } from './errors.ts'
import { explain } from './outcomes.ts'
import { readable, rethrow, when } from './reads.ts'
import { readBookingUrl } from './wire-resources.ts'

export function createSchedulingLinks({ call }: { call: Call }) {
  return {
    /**
     * The address of a link for one booking of that type. Throws `event_type_not_found`, `calendly_rejected` or
     * `calendly_unavailable`, after which there may be a link that nobody knows of, which harms nobody.
     */
    createSchedulingLink: (eventType: string): Promise<{ bookingUrl: string }> =>
      call(
        {
          method: 'POST',
          path: '/scheduling_links',
          body: { max_event_count: 1, owner: eventType, owner_type: 'EventType' }
        },
        { lane: 'booking' }
      )
        .then(({ body }) => ({ bookingUrl: readable(readBookingUrl(body), 'POST /scheduling_links') }))
        .catch(
          when(404, () => {
            throw new AppError('event_type_not_found')
          })
        )
        .catch(refuse)
        .catch(rethrow)
  }
}

const refusals = [400, 403, 409, 422]

function refuse(error: unknown): never {
  if (!(error instanceof CalendlyError) || !refusals.includes(error.status)) throw error
  throw new AppError('calendly_rejected', explain(error), { cause: error })
}
