import type { Slot } from './availability.ts'
import { micros, seconds, site } from './identifiers.ts'
import {
  type EventType,
  type HostBlock,
  isMeeting,
  type Organization,
  type SchedulingLink,
  type Subscription,
  type User
} from './records.ts'

export function organizationBody({ uri, name, plan, stage, createdAt, updatedAt }: Organization) {
  return { uri, name, plan, stage, kind: 'multiple', created_at: createdAt, updated_at: updatedAt }
}

function memberBody(user: User) {
  return {
    uri: user.uri,
    name: user.name,
    slug: user.slug,
    email: user.email,
    scheduling_url: `${site}/${user.slug}`,
    timezone: user.timezone,
    time_notation: '24h',
    avatar_url: null,
    locale: 'en',
    created_at: user.createdAt,
    updated_at: user.updatedAt
  }
}

export function userBody(user: User) {
  return {
    ...memberBody(user),
    current_organization: user.organization.uri,
    resource_type: 'User'
  }
}

export function membershipBody(user: User) {
  return {
    uri: membershipUri(user),
    role: user.role,
    user: memberBody(user),
    organization: user.organization.uri,
    created_at: user.createdAt,
    updated_at: user.updatedAt
  }
}

/** A user is a member of one organization here, so that the user's id serves for the membership too. */
export const membershipUri = (user: User) => user.uri.replace('/users/', '/organization_memberships/')

export function eventTypeBody(eventType: EventType) {
  return {
    uri: eventType.uri,
    name: eventType.name,
    active: eventType.active,
    admin_managed: false,
    booking_method: 'instant',
    color: eventType.color,
    custom_questions: eventType.custom_questions.map((question, position) => ({ ...question, position })),
    deleted_at: null,
    description_html: eventType.description === null ? null : `<p>${eventType.description}</p>`,
    description_plain: eventType.description,
    duration: eventType.duration,
    duration_options: null,
    internal_note: null,
    is_paid: eventType.is_paid,
    kind: eventType.kind,
    locale: 'en',
    locations: eventType.locations.length > 0 ? eventType.locations : null,
    pooling_type: eventType.pooling,
    position: eventType.position,
    profile: profileBody(eventType),
    scheduling_url: schedulingUrl(eventType),
    secret: eventType.secret,
    slug: eventType.slug,
    type: 'StandardEventType',
    created_at: eventType.createdAt,
    updated_at: eventType.updatedAt
  }
}

function profileBody({ owner }: EventType) {
  const { name, uri } = pageOf(owner)
  return { type: owner.type, name, owner: uri }
}

const pageOf = (owner: EventType['owner']) => (owner.type === 'User' ? owner.user : owner.team)

const schedulingUrl = ({ owner, slug }: EventType) => `${site}/${pageOf(owner).slug}/${slug}`

export function eventTypeMembershipBody(eventType: EventType, host: User) {
  const { uri, name, active, slug, scheduling_url, duration, kind, pooling_type, type, color } =
    eventTypeBody(eventType)
  const { createdAt: created_at, updatedAt: updated_at } = eventType
  return {
    uri: membershipOf(eventType, host),
    event_type: {
      uri,
      name,
      active,
      slug,
      scheduling_url,
      duration,
      kind,
      pooling_type,
      type,
      color,
      created_at,
      updated_at
    },
    member: userBody(host),
    created_at,
    updated_at
  }
}

/** Alone the event type's id serves for it too. */
function membershipOf({ uri, pooling }: EventType, host: User) {
  const membership = uri.replace('/event_types/', '/event_type_memberships/')
  return pooling === null ? membership : `${membership}-${host.id}`
}

export function availableTimeBody(eventType: EventType, { start, seats }: Slot) {
  const start_time = seconds(start)
  return {
    status: 'available',
    invitees_remaining: seats,
    start_time,
    scheduling_url: `${schedulingUrl(eventType)}/${start_time}?month=${start_time.slice(0, 7)}&date=${start_time.slice(0, 10)}`
  }
}

export function busyTimeBody(block: HostBlock) {
  const times = { start_time: micros(block.start), end_time: micros(block.end) }
  if (!isMeeting(block)) return { type: 'external', ...times }
  return {
    type: 'calendly',
    ...times,
    buffered_start_time: micros(block.bufferedStart),
    buffered_end_time: micros(block.bufferedEnd),
    event: { uri: block.uri }
  }
}

export function scheduleBody(user: User) {
  return {
    uri: scheduleUri(user),
    default: true,
    name: 'Working hours',
    user: user.uri,
    timezone: user.timezone,
    rules: user.rules
  }
}

/** A host has one schedule here. */
export const scheduleUri = (user: User) => user.uri.replace('/users/', '/user_availability_schedules/')

export function eventTypeScheduleBody(eventType: EventType, host: User) {
  const { uri, name, timezone, user, rules } = scheduleBody(host)
  return {
    event_type: eventType.uri,
    availability_setting: 'host',
    availability_rule: { uri, name, timezone, user, rules }
  }
}

export function schedulingLinkBody({ url, eventType }: SchedulingLink) {
  return { booking_url: url, owner: eventType.uri, owner_type: 'EventType' }
}

export function subscriptionBody(subscription: Subscription) {
  return {
    uri: subscription.uri,
    callback_url: subscription.callbackUrl,
    created_at: subscription.createdAt,
    updated_at: subscription.updatedAt,
    retry_started_at: subscription.retryStartedAt === undefined ? null : micros(subscription.retryStartedAt),
    state: subscription.state,
    events: subscription.events,
    scope: subscription.scope,
    organization: subscription.organization.uri,
    user: subscription.user?.uri ?? null,
    group: null,
    creator: subscription.creator.uri
  }
}
