/** Where resource URIs live, whatever address the API is reached at. */
export const apiOrigin = 'https://api.calendly.com'

const id = String.raw`\w[\w.~-]{0,127}`
const eventTypeText = new RegExp(`^(?:https://(?:api\\.)?calendly\\.com/event_types/)?(${id})$`)
const paths = {
  eventType: new RegExp(`/event_types/${id}$`),
  event: new RegExp(`/scheduled_events/${id}$`),
  invitee: new RegExp(`/scheduled_events/${id}/invitees/${id}$`),
  noShow: new RegExp(`/invitee_no_shows/${id}$`),
  subscription: new RegExp(`/webhook_subscriptions/${id}$`),
  user: new RegExp(`/users/${id}$`)
}

/** The canonical URI of an event type given as a full URI or its last segment, percent-encoded or not. */
export function eventTypeUri(text: string): string | undefined {
  const lastSegment = eventTypeText.exec(decoded(text))?.[1]
  return lastSegment && `${apiOrigin}/event_types/${lastSegment}`
}

/** The path at which a resource is asked for; `undefined` where the URI is not of that kind. */
export function pathOf(kind: keyof typeof paths, uri: string): string | undefined {
  return paths[kind].exec(uri)?.[0]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
