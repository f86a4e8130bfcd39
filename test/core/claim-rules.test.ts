import t from 'tap'
import type { AvailableTime } from '../../src/core/calendly.ts'
import { createClaimRules } from '../../src/core/claim-rules.ts'
import { defaultSettings, type EventTypeSettings } from '../../src/core/settings.ts'
import { anEventType, meeting, tuesday } from '../support/samples.ts'

type World = { settings?: Partial<EventTypeSettings>; limit?: number; offered?: number; timeZone?: string }

function open({ settings, limit, offered, timeZone = 'Europe/Berlin' }: World = {}) {
  const asked: string[] = []
  const { rulesFor } = createClaimRules({
    reads: {
      settingsOf: async () => ({ ...defaultSettings, ...settings }),
      findSeats: async (_tenantId, session) => {
        asked.push(`seats of ${session}`)
        return limit
      }
    },
    offers: {
      find: async (_eventType, startTime) => {
        asked.push('offer')
        return offered === undefined ? undefined : { startTime, inviteesRemaining: offered }
      }
    },
    calendly: {
      timeZoneOf: async () => {
        asked.push('time zone')
        return timeZone
      }
    }
  })
  return {
    asked,
    rulesFor: (kind = 'solo', offer?: AvailableTime) =>
      rulesFor('default', anEventType({ kind }), tuesday, offer)
  }
}

t.test('a time of its own is asked for nothing beyond the settings', async (t) => {
  const { asked, rulesFor } = open({ settings: { bufferAfterMinutes: 15 } })
  t.same(await rulesFor(), { settings: { ...defaultSettings, bufferAfterMinutes: 15 }, seats: undefined })
  t.same(asked, [])
})

t.test('where a day takes only so many it is the day of the owner’s zone, as long as that is', async (t) => {
  const days = async (timeZone: string) =>
    (await open({ settings: { maxPerDay: 3 }, timeZone }).rulesFor()).day
  t.same(await days('UTC'), { startsAt: Date.parse('2026-12-01'), endsAt: Date.parse('2026-12-02') })
  t.same(await days('Pacific/Auckland'), {
    startsAt: Date.parse('2026-12-01T00:00:00+13:00'),
    endsAt: Date.parse('2026-12-02T00:00:00+13:00')
  })
})

t.test('of a group the seats are those of its event, and Calendly is not asked again', async (t) => {
  const { asked, rulesFor } = open({ limit: 12, offered: 4 })
  t.same((await rulesFor('group')).seats, { limit: 12, remaining: undefined })
  t.same(asked, [`seats of ${meeting}@${tuesday}`])
})

t.test('of a group without an event the seats are what a fresh read has left', async (t) => {
  t.same((await open({ offered: 4 }).rulesFor('group')).seats, { limit: undefined, remaining: 4 })
  t.same(
    (await open().rulesFor('group')).seats,
    { limit: undefined, remaining: undefined },
    'if it is offered'
  )
})

t.test(
  'of a group an offer that was read just now is not read again, and counts beside the event',
  async (t) => {
    const offer = { startTime: tuesday, inviteesRemaining: 2 }
    for (const limit of [undefined, 12]) {
      const { asked, rulesFor } = open({ offered: 4, ...(limit !== undefined && { limit }) })
      t.same((await rulesFor('group', offer)).seats, { limit, remaining: 2 })
      t.notOk(asked.includes('offer'))
    }
  }
)
