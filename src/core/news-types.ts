/** Every type of event that other services can follow, by what it tells of: the name of the one member of its `data`. */
export const newsTypesOf = {
  booking: [
    'booking.confirmed',
    'booking.rejected',
    'booking.canceled',
    'booking.rescheduled',
    'booking.merged',
    'booking.no_show',
    'booking.no_show_removed',
    'booking.needs_attention'
  ],
  hold: ['hold.lost'],
  refund: [
    'refund.created',
    'refund.requires_approval',
    'refund.updated',
    'refund.succeeded',
    'refund.failed'
  ],
  charge: ['charge.disputed'],
  key: ['calendly_key.expiring', 'calendly_key.invalid', 'calendly_key.rotated'],
  subscription: ['calendly_subscription.failing', 'calendly_subscription.restored'],
  endpoint: ['event_endpoint.disabled']
} as const
export type NewsSubject = keyof typeof newsTypesOf

export const newsTypes = Object.values(newsTypesOf).flat()
export type NewsType = (typeof newsTypes)[number]

/** Sent to an endpoint on request only, and in no log. */
export const testType = 'event_endpoint.test'
