import { activeInvitees } from './availability.ts'
import { idOf, micros, site } from './identifiers.ts'
import type { Invitee, NoShow, ScheduledEvent } from './records.ts'

/** A scheduled event as webhooks carry it. */
function scheduledEventPayload(event: ScheduledEvent) {
  const { invitee_limit, name } = event.eventType
  return {
    uri: event.uri,
    name,
    meeting_notes_plain: null,
    meeting_notes_html: null,
    status: event.status,
    start_time: micros(event.start),
    end_time: micros(event.end),
    event_type: event.eventType.uri,
    location: event.location,
    invitees_counter: { total: event.invitees.length, active: activeInvitees(event), limit: invitee_limit },
    created_at: event.createdAt,
    updated_at: event.updatedAt,
    event_memberships: event.hosts.map(({ uri, email, name }) => ({
      user: uri,
      user_email: email,
      user_name: name
    })),
    event_guests: event.guests.map((email) => ({
      email,
      created_at: event.createdAt,
      updated_at: event.createdAt
    })),
    ...(event.cancellation && { cancellation: event.cancellation })
  }
}

/** A scheduled event as the API answers it. */
export function scheduledEventBody(event: ScheduledEvent) {
  const payload = scheduledEventPayload(event)
  return {
    ...payload,
    event_memberships: payload.event_memberships.map((membership) => ({
      ...membership,
      buffered_start_time: micros(event.bufferedStart),
      buffered_end_time: micros(event.bufferedEnd)
    })),
    calendar_event: null
  }
}

export function inviteeBody(invitee: Invitee) {
  const id = idOf(invitee.uri)
  return {
    uri: invitee.uri,
    ...invitee.person,
    status: invitee.status,
    event: invitee.event.uri,
    created_at: invitee.createdAt,
    updated_at: invitee.updatedAt,
    rescheduled: invitee.rescheduled,
    old_invitee: invitee.oldInvitee?.uri ?? null,
    new_invitee: invitee.newInvitee?.uri ?? null,
    cancel_url: `${site}/cancellations/${id}`,
    reschedule_url: `${site}/reschedulings/${id}`,
    routing_form_submission: null,
    ...(invitee.cancellation && { cancellation: invitee.cancellation }),
    payment: invitee.payment ?? null,
    no_show: invitee.noShow ? { uri: invitee.noShow.uri, created_at: invitee.noShow.createdAt } : null,
    reconfirmation: null,
    scheduling_method: invitee.method,
    invitee_scheduled_by: null
  }
}

/** The `payload` of `invitee.*` and `invitee_no_show.*`. */
export function inviteePayload(invitee: Invitee) {
  return { ...inviteeBody(invitee), scheduled_event: scheduledEventPayload(invitee.event) }
}

export function noShowBody({ uri, invitee, createdAt }: NoShow) {
  return { uri, invitee: invitee.uri, created_at: createdAt }
}
