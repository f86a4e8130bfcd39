import t from 'tap'
import { eventTypeUri, pathOf } from '../../src/calendly/uris.ts'

const uuid = '3b9b2b54-5a0c-4f3d-9a7e-2f9a0c1d2e3f'

t.test('an event type is understood in every spelling and has one', async (t) => {
  for (const id of ['GBGBDCAADAEDCRZ2', uuid]) {
    const canonical = `https://api.calendly.com/event_types/${id}`
    const spellings = [id, canonical, encodeURIComponent(canonical), `https://calendly.com/event_types/${id}`]
    for (const spelling of spellings) t.equal(eventTypeUri(spelling), canonical, spelling)
  }
})

t.test('what names no event type of Calendly is refused', async (t) => {
  const others = [
    '',
    '..',
    '%2e%2e',
    '%',
    'a/b',
    'a?b=c',
    'a b',
    'https://evil.example/event_types/A',
    'https://api.calendly.com.evil.example/event_types/A',
    'https://api.calendly.com/users/A',
    `https://api.calendly.com/event_types/A/../../users/me`
  ]
  for (const other of others) t.equal(eventTypeUri(other), undefined, other)
})

t.test('a resource is asked for by its last segments, whatever host its URI names', async (t) => {
  t.equal(pathOf('event', `https://calendly.com/scheduled_events/${uuid}`), `/scheduled_events/${uuid}`)
  t.equal(
    pathOf('invitee', 'http://127.0.0.1:9/v2/scheduled_events/E/invitees/I'),
    '/scheduled_events/E/invitees/I'
  )
  t.equal(pathOf('event', 'https://api.calendly.com/scheduled_events/E/invitees/I'), undefined)
  t.equal(pathOf('subscription', 'https://api.calendly.com/webhook_subscriptions/../users/me'), undefined)
})
