import t from 'tap'
import { openService } from '../support/service.ts'
import { eventTypes } from './support/client.ts'

const { call } = await openService(t)
const id = eventTypes.introCall.slice(eventTypes.introCall.lastIndexOf('/') + 1)
const defaults = {
  buffer_before_minutes: 0,
  buffer_after_minutes: 0,
  minimum_notice_minutes: 0,
  max_per_day: null,
  refund_policy: 'default'
}
const set = (body: unknown, key?: string) =>
  call('PUT', `/api/v1/event-types/${id}/settings`, { body, ...(key !== undefined && { key }) })
const settingsNow = async () => (await call('GET', `/api/v1/event-types/${id}`)).body.settings

t.test('an event type shows its settings, alone and in the list', async (t) => {
  t.same(await settingsNow(), defaults)
  const asked = { buffer_before_minutes: 15, minimum_notice_minutes: 120, max_per_day: 4 }
  t.match(await set(asked), { status: 200, body: { ...defaults, ...asked } })
  t.same(await settingsNow(), { ...defaults, ...asked })
  const { body } = await call('GET', '/api/v1/event-types')
  const settings = new Map(body.data.map((type: Record<string, unknown>) => [type.uri, type.settings]))
  t.same(settings.get(eventTypes.introCall), { ...defaults, ...asked })
  t.same(settings.get(eventTypes.consultation), defaults)
})

t.test('setting replaces them all: what is not sent is the default again', async (t) => {
  await set({ buffer_after_minutes: 180, max_per_day: 1 })
  t.same((await set({ refund_policy: 'default' })).body, defaults)
  t.same(await settingsNow(), defaults)
})

t.test('what cannot be is refused by name, and changes nothing', async (t) => {
  const wrong = {
    buffer_before_minutes: [-1, 181, 1.5, '15', null],
    buffer_after_minutes: [181],
    minimum_notice_minutes: [-1, 527_041, 0.5],
    max_per_day: [0, -1, 1_001, 2.5],
    refund_policy: ['strict', '', null],
    buffers: [15]
  }
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const { status, body } = await set({ [field]: value })
      t.match({ status, code: body.code }, { status: 400, code: 'validation_failed' }, `${field} ${value}`)
      t.match(JSON.stringify(body.errors), field)
    }
  }
  t.same(await settingsNow(), defaults)
})

t.test('an unknown event type has none', async (t) => {
  t.match(await call('PUT', '/api/v1/event-types/NOSUCHTYPE234567/settings', { body: {} }), {
    status: 404,
    body: { code: 'event_type_not_found' }
  })
})

t.test('who may choose times may not set them', async (t) => {
  const scopes = ['availability:read', 'bookings:write']
  const { body } = await call('POST', '/api/v1/caller-keys', { body: { name: 'shop', scopes } })
  t.match(await set({}, body.key), { status: 403, body: { code: 'insufficient_scope', detail: /admin/ } })
})
