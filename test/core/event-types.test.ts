import t from 'tap'
import { createEventTypes } from '../../src/core/event-types.ts'
import { anEventType, meeting, tuesday } from '../support/samples.ts'

const open = (found = anEventType()) =>
  createEventTypes({
    calendly: {
      eventTypeUri: (text) => (text === 'nonsense' ? undefined : meeting),
      listEventTypes: async () => [found],
      findEventType: async (uri) => (uri === meeting ? found : undefined)
    }
  })

t.test('an event type is found by what names it', async (t) => {
  t.match(await open().get('default', 'MEETING'), { uri: meeting })
  t.match(await open().list({ tenantId: 'default' }), [{ uri: meeting }])
})

t.test('an event type that cannot be, or was deleted, is not found', async (t) => {
  await t.rejects(open().get('default', 'nonsense'), { code: 'event_type_not_found' })
  await t.rejects(open(anEventType({ deletedAt: tuesday })).get('default', 'MEETING'), {
    code: 'event_type_not_found'
  })
})

t.test('a tenant without a Calendly account sees none of another’s', async (t) => {
  await t.rejects(open().get('other', 'MEETING'), { code: 'calendly_unavailable' })
  await t.rejects(open().list({ tenantId: 'other' }), { code: 'calendly_unavailable' })
})
