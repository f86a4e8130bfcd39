const domains = new Map(
  Object.entries({
    users: 'users',
    organizations: 'organizations',
    organization_memberships: 'organizations',
    event_types: 'event_types',
    event_type_memberships: 'event_types',
    event_type_available_times: 'availability',
    event_type_availability_schedules: 'availability',
    user_busy_times: 'availability',
    user_availability_schedules: 'availability',
    scheduled_events: 'scheduled_events',
    invitees: 'scheduled_events',
    invitee_no_shows: 'scheduled_events',
    scheduling_links: 'scheduling_links',
    webhook_subscriptions: 'webhooks',
    sample_webhook_data: 'webhooks'
  })
)

/** The scope that the request needs; none where it leads nowhere. */
export function scopeOf(method: string, url: string): string | undefined {
  const domain = domains.get(url.split(/[/?]/)[1] ?? '')
  return domain && `${domain}:${method === 'GET' ? 'read' : 'write'}`
}

/** Writing includes reading. */
export const isGranted = (granted: readonly string[], scope: string) =>
  granted.includes(scope) || granted.includes(scope.replace(':read', ':write'))
