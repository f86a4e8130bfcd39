import assert from 'node:assert/strict'
import pg from 'pg'
import { standard } from '../../src/sandbox/standard.ts'
import { activeInvitees, allBookings, bookAllForSure, untilResolved, wishes } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import { untilSubscribed, untilWorkedOff } from './support/webhooks.ts'

const perCut = 3
const longestCalmMs = 400

/** Every connection to the database is cut, again and again, while bookings and webhooks flow. */
export const databaseRestart: Experiment = {
  engines: ['postgresql'],
  sabotages: [
    { file: 'database/postgresql.ts', mechanism: "pool.on('error', ", without: "pool.on('ignored', " }
  ],

  async run(stage, { isBounded }) {
    const cuts = isBounded ? 15 : 50
    const service = await stage.start({ webhooks: true })
    const wished = await wishes(stage, service, cuts * perCut)
    await untilSubscribed(stage)
    const clients: Promise<unknown>[] = []
    for (let cut = 0; cut < cuts; cut++) {
      const round = wished.slice(cut * perCut, (cut + 1) * perCut)
      clients.push(bookAllForSure(stage, service, round))
      await stage.control('POST', '/book-many', { event_type: standard.eventTypes.introCall, count: perCut })
      await stage.pause(longestCalmMs)
      await cutConnections(stage.databaseUrl)
      stage.assertAlive()
    }
    await stage.until('ready again', service.isReady, (isReady) => isReady)
    await Promise.all(clients)
    await untilResolved(stage, service)
    await untilWorkedOff(stage, service)

    const invitees = await activeInvitees(stage)
    assert.equal(invitees.length, 2 * wished.length, 'nobody is twice at Calendly')
    const bookings = await allBookings(stage, service)
    assert.deepEqual(
      bookings.map(({ calendly }) => calendly.invitee).sort(),
      invitees.map(({ uri }) => uri).sort(),
      'each is one booking here'
    )
    return `${wished.length} bookings and as many webhooks, connections cut ${cuts} times`
  }
}

async function cutConnections(databaseUrl: string | undefined): Promise<void> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  await client.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
  )
  await client.end()
}
