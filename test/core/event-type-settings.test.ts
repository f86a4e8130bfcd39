import t from 'tap'
import { createEventTypeSettings } from '../../src/core/event-type-settings.ts'
import { createEventTypes } from '../../src/core/event-types.ts'
import { buffersOf, defaultSettings, isTooSoon } from '../../src/core/settings.ts'
import { anEventType, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'

const caller = { tenantId: 'default', name: 'shop', scopes: [] }
const strict = {
  bufferBeforeMinutes: 15,
  bufferAfterMinutes: 5,
  minimumNoticeMinutes: 60,
  maxPerDay: 3,
  refundPolicy: 'default'
}

const { db, transact, reads } = await openTables(t)
let eventTypes = 0

/** Two replicas on one database with an event type of the test's own, and how often they have read the settings. */
function replicas() {
  const meeting = `meeting-${++eventTypes}`
  const clock = { now: tuesday }
  const counted = { reads: 0 }
  const open = () =>
    createEventTypeSettings({
      system: { ...fakeSystem(), now: () => clock.now },
      transact,
      reads: {
        allSettings: (tenantId) => {
          counted.reads++
          return reads.allSettings(tenantId)
        }
      },
      eventTypes: createEventTypes({
        calendly: {
          eventTypeUri: (text) => text,
          listEventTypes: async () => [anEventType({ uri: meeting }), anEventType({ uri: 'other' })],
          findEventType: async (uri) => (uri === meeting ? anEventType({ uri: meeting }) : undefined)
        }
      })
    })
  return { meeting, one: open(), other: open(), clock, counted }
}

t.test('an event type has the settings it was given, another one the defaults', async (t) => {
  const { meeting, one } = replicas()
  t.same((await one.get(caller, meeting)).settings, defaultSettings)
  t.same(await one.put(caller, meeting, strict), strict)
  t.match(await one.get(caller, meeting), { uri: meeting, settings: strict })
  t.match(await one.list(caller), [
    { uri: meeting, settings: strict },
    { uri: 'other', settings: defaultSettings }
  ])
  t.same(await reads.settingsOf('default', meeting), strict)
  t.same(await one.put(caller, meeting, defaultSettings), defaultSettings)
  t.same((await one.get(caller, meeting)).settings, defaultSettings, 'nothing of the former is left')
})

t.test('who set what is in the audit log, written with it or not at all', async (t) => {
  const { meeting, one } = replicas()
  await one.put(caller, meeting, strict)
  await t.rejects(one.put(caller, meeting, { ...strict, bufferBeforeMinutes: 181 }))
  await t.rejects(one.put(caller, 'unknown', strict), { code: 'event_type_not_found' })
  const rows = await db
    .selectFrom('audit_log')
    .select(['actor', 'action', 'subject', 'detail'])
    .where('subject', '=', meeting)
    .execute()
  t.match(rows, [
    {
      actor: 'caller:shop',
      action: 'event_type_settings.changed',
      subject: meeting,
      detail: { buffer_before_minutes: 15, max_per_day: 3 }
    }
  ])
  t.equal(rows.length, 1)
  t.equal((await one.find('default', meeting)).bufferBeforeMinutes, 15)
})

t.test('a refund policy that there is not cannot be chosen', async (t) => {
  const { meeting, one } = replicas()
  await t.rejects(one.put(caller, meeting, { ...strict, refundPolicy: 'unheard-of' }), {
    code: 'validation_failed',
    faults: [{ pointer: '#/refund_policy' }]
  })
  t.same((await one.get(caller, meeting)).settings, defaultSettings)
})

t.test('choosing times costs no read a question, and follows what this replica sets at once', async (t) => {
  const { meeting, one, counted } = replicas()
  const found = await Promise.all(Array.from({ length: 50 }, () => one.find('default', meeting)))
  t.same(new Set(found), new Set([defaultSettings]))
  t.equal(counted.reads, 1)
  await one.put(caller, meeting, strict)
  t.same(await one.find('default', meeting), strict)
  t.equal(counted.reads, 2)
})

t.test('what another replica sets is effective after a second', async (t) => {
  const { meeting, one, other, clock } = replicas()
  await other.find('default', meeting)
  await one.put(caller, meeting, strict)
  clock.now += 1_000
  t.same(await other.find('default', meeting), strict)
})

t.test('a read that failed is not remembered', async (t) => {
  const meeting = 'meeting'
  let isAway = true
  const { find } = createEventTypeSettings({
    system: fakeSystem(),
    transact: async () => {
      throw new Error('nothing is to be written')
    },
    reads: {
      allSettings: async () => {
        if (isAway) throw new Error('away')
        return new Map([[meeting, strict]])
      }
    },
    eventTypes: { list: async () => [], get: async () => anEventType() }
  })
  await t.rejects(find('default', meeting), { message: 'away' })
  isAway = false
  t.same(await find('default', meeting), strict)
})

t.test('the notice is up at its very millisecond', async (t) => {
  const settings = { ...defaultSettings, minimumNoticeMinutes: 60 }
  t.equal(isTooSoon(settings, tuesday + 60 * minuteMs, tuesday), false)
  t.equal(isTooSoon(settings, tuesday + 60 * minuteMs, tuesday + 1), true)
  t.equal(isTooSoon(defaultSettings, tuesday, tuesday), false)
  t.same(buffersOf(strict), { beforeMs: 15 * minuteMs, afterMs: 5 * minuteMs })
})
