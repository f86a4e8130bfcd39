import { createHash, randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import t from 'tap'
import { hashOf } from '../../src/core/callers.ts'
import { insertDeliveries } from '../../src/database/deliveries.ts'
import type { Tables } from '../../src/database/tables.ts'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { signatureOf, webhookBody } from '../support/webhook.ts'
import { bookings, deliver, timelineOf } from './support/client.ts'

const path = '/api/v1/webhook-deliveries'
const key = 'a-signing-key-of-the-service'
const subject = 'https://api.calendly.com/scheduled_events/NOISE/invitees/NOISE'
const theirKey = `cgw_${randomBytes(32).toString('base64url')}`

const startTimes = new Map<string, number>()
/** Nobody's time is anybody else's. */
function bodyOf(id: string): string {
  const startTime = startTimes.get(id) ?? Date.now() + (startTimes.size + 1) * 86_400_000
  startTimes.set(id, startTime)
  return webhookBody({ id, startTime })
}

/** A delivery as an earlier day has left it. */
function left(name: string, status: 'dead' | 'quarantined', reason: string, body = bodyOf(name)) {
  const bytes = Buffer.from(body)
  return {
    ...{ id: `dlv_00${name}`, tenantId: 'default', body: bytes, status, reason },
    digest: createHash('sha256').update(bytes).digest(),
    ...{ event: 'invitee.created', signedAt: Date.now() - 86_400_000, attempts: status === 'dead' ? 8 : 0 }
  }
}

/** What is left of earlier days, and another tenant with a delivery. */
async function prepare(db: Kysely<Tables>): Promise<void> {
  await db.insertInto('tenants').values({ id: 'other', name: 'Other' }).execute()
  const owner = { tenant_id: 'other', key_hash: hashOf(theirKey), created_at: new Date().toISOString() }
  await db
    .insertInto('caller_keys')
    .values({ id: 'key_theirs', name: 'theirs', scopes: ['admin'], ...owner })
    .execute()
  await insertDeliveries(db, [
    left('DEAD', 'dead', 'boom'),
    left('STALE', 'quarantined', 'subject_not_found'),
    { ...left('NOISE', 'quarantined', 'unreadable', 'not json \u0000'), subject },
    { ...left('THEIRS', 'dead', 'boom'), tenantId: 'other' }
  ])
  await db.updateTable('deliveries').set({ due_at: null }).execute()
}

for (const engine of engines) {
  t.test(`webhook deliveries (${engine})`, async (t) => {
    const env = { CALENDLY_WEBHOOK_SIGNING_KEY: key }
    const service = await openService(t, { engine, sandbox: null, env, prepare })
    const { call } = service
    const list = async (query = '') => (await call('GET', `${path}?${query}`)).body.data
    const namesOf = (found: { id: string }[]) => found.map(({ id }) => id)
    const untilStatus = async (id: string, status: string) => {
      const { body } = await until(
        () => call('GET', `${path}/${id}`),
        (answer) => answer.body.status === status
      )
      return body
    }
    const post = async (body: string) => {
      const answer = await deliver(service, body, signatureOf(key, body))
      t.equal(answer.status, 204)
      const [latest] = await list('limit=1')
      return latest.id as string
    }
    const bookingsOf = async (name: string) =>
      (await bookings(service)).filter(({ calendly }) => calendly.invitee.endsWith(name))

    t.test('one is shown with what it says, what it is about and what became of it', async (t) => {
      const text = bodyOf('SHOWN')
      const id = await post(text)
      const shown = await untilStatus(id, 'processed')
      t.match(shown, {
        id: /^dlv_/,
        event: 'invitee.created',
        subject: 'https://api.calendly.com/scheduled_events/SHOWN/invitees/SHOWN',
        slot: null,
        reason: null,
        attempts: 1,
        next_attempt_at: null,
        body: null
      })
      t.same(shown.payload, JSON.parse(text))
      for (const at of [shown.signed_at, shown.received_at, shown.processed_at]) {
        t.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000, at)
      }
      const { payload, body, ...summary } = shown
      t.same((await list())[0], summary)
    })

    t.test('what is no JSON is shown as bytes', async (t) => {
      const { body } = await call('GET', `${path}/dlv_00NOISE`)
      t.match(body, { status: 'quarantined', reason: 'unreadable', payload: null })
      t.equal(Buffer.from(body.body, 'base64').toString(), 'not json \u0000')
    })

    t.test('a text that no database can keep costs no delivery', async (t) => {
      const odd = bodyOf('ODD').replace('invitee.created', 'odd.\\u0000event\\ud800')
      t.match(await untilStatus(await post(odd), 'processed'), { event: 'odd.event\ufffd' })
      const uri = `https://api.calendly.com/${'x'.repeat(3_000)}`
      const long = JSON.stringify({ event: 'e'.repeat(300), payload: { uri } })
      t.match(await untilStatus(await post(long), 'processed'), { event: 'e'.repeat(100), subject: null })
      const halves = JSON.stringify({ event: 'contact.created', payload: { uri: 'a\\ud800b\\u0000c' } })
      const id = await post(halves.replaceAll('\\\\u', '\\u'))
      t.match(await untilStatus(id, 'processed'), { event: 'contact.created', subject: 'a\ufffdbc' })
    })

    t.test('the list is by status and event, newest first, a page at a time', async (t) => {
      await untilStatus(await post(JSON.stringify({ event: 'contact.created', payload: {} })), 'processed')
      t.same(namesOf(await list('status=dead')), ['dlv_00DEAD'])
      t.same(namesOf(await list('status=quarantined')).sort(), ['dlv_00NOISE', 'dlv_00STALE'])
      const ofContacts = await list('event=contact.created&status=processed')
      t.equal(ofContacts.length, 2)
      const all = namesOf(await list())
      t.same(all, all.toSorted().toReversed())
      const paged = []
      let cursor = ''
      do {
        const { body } = await call('GET', `${path}?limit=2${cursor}`)
        paged.push(...namesOf(body.data))
        cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`
      } while (cursor !== '')
      t.same(paged, all)
    })

    t.test('what is asked for wrongly is refused', async (t) => {
      for (const query of ['status=lost', 'event=', 'event=%00', 'limit=0', 'cursor=AAAA', 'unknown=1']) {
        t.equal((await call('GET', `${path}?${query}`)).status, 400, query)
      }
      for (const id of ['dlv_NOBODY', 'x', '%00']) {
        for (const [method, action] of [
          ['GET', ''],
          ['POST', '/replay']
        ]) {
          const { status } = await call(String(method), `${path}/${id}${action}`)
          t.equal(status, id === '%00' ? 400 : 404, `${method} ${id}`)
        }
      }
    })

    t.test("another tenant's is not there", async (t) => {
      t.notOk(namesOf(await list('limit=200')).includes('dlv_00THEIRS'))
      t.equal((await call('GET', `${path}/dlv_00THEIRS`)).status, 404)
      t.equal((await call('POST', `${path}/dlv_00THEIRS/replay`)).status, 404)
      const theirs = await call('GET', path, { key: theirKey })
      t.same(namesOf(theirs.body.data), ['dlv_00THEIRS'])
      t.equal((await call('POST', `${path}/dlv_00DEAD/replay`, { key: theirKey })).status, 404)
    })

    t.test('a dead one is tried again', async (t) => {
      t.same(await bookingsOf('DEAD'), [])
      t.match(await call('POST', `${path}/dlv_00DEAD/replay`), {
        status: 202,
        body: { id: 'dlv_00DEAD', status: 'received', reason: null, attempts: 0, next_attempt_at: String }
      })
      t.match(await untilStatus('dlv_00DEAD', 'processed'), { attempts: 1 })
      t.equal((await bookingsOf('DEAD')).length, 1)
    })

    t.test('one that was set aside as stale is believed', async (t) => {
      t.equal((await call('POST', `${path}/dlv_00STALE/replay`)).status, 202)
      await untilStatus('dlv_00STALE', 'processed')
      t.equal((await bookingsOf('STALE')).length, 1)
    })

    t.test('a stale one that is believed is not asked for again when Calendly repeats it', async (t) => {
      const body = bodyOf('LATE')
      const repeat = () => deliver(service, body, signatureOf(key, body, Date.now() - 86_400_000))
      t.equal((await repeat()).status, 401)
      const [stale] = await list('limit=1')
      const about = { event: 'invitee.created', subject: /invitees\/LATE$/ }
      t.match(stale, { status: 'quarantined', reason: 'stale', ...about })
      t.equal((await repeat()).status, 401, 'Calendly is away')
      t.match(await call('POST', `${path}/${stale.id}/replay`), { status: 202, body: about })
      t.match(await untilStatus(stale.id, 'processed'), { reason: null, attempts: 1, ...about })
      t.equal((await repeat()).status, 204)
      const [booking] = await bookingsOf('LATE')
      t.same(await timelineOf(service, booking.id), ['recorded'])
    })

    t.test('what cannot be read is set aside again', async (t) => {
      t.match(await call('POST', `${path}/dlv_00NOISE/replay`), { status: 202, body: { status: 'received' } })
      const set = await untilStatus('dlv_00NOISE', 'quarantined')
      t.match(
        set,
        { reason: 'unreadable', event: 'invitee.created', subject },
        'and what was known of it stays'
      )
    })

    t.test('to replay what was applied changes nothing', async (t) => {
      const [before] = await bookingsOf('DEAD')
      await call('POST', `${path}/dlv_00DEAD/replay`)
      await untilStatus('dlv_00DEAD', 'processed')
      t.same(await bookingsOf('DEAD'), [before])
      t.same(await timelineOf(service, before.id), ['recorded'])
    })

    t.test('a replay repeated under its key is answered as before and made once', async (t) => {
      const options = { idempotencyKey: 'replay-once' }
      const first = await call('POST', `${path}/dlv_00STALE/replay`, options)
      await untilStatus('dlv_00STALE', 'processed')
      const again = await call('POST', `${path}/dlv_00STALE/replay`, options)
      t.same(again.body, first.body)
      t.equal(again.headers['idempotent-replayed'], 'true')
      t.match((await call('GET', `${path}/dlv_00STALE`)).body, { status: 'processed' })
    })
  })
}
