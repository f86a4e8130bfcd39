import assert from 'node:assert/strict'
import { standard } from '../../src/sandbox/standard.ts'
import { activeInvitees, allBookings } from './support/bookings.ts'
import type { Experiment } from './support/experiment.ts'
import type { Service } from './support/service.ts'
import type { Stage } from './support/stage.ts'
import { untilSubscribed, untilWorkedOff } from './support/webhooks.ts'

const kills = 50
const bookingsPerKill = 10
/** About as long as intake and inbox are at the webhooks of one round. */
const longestLifeMs = 150

/** People book on Calendly's page while the service that is told of it dies again and again. */
export const webhooksKill: Experiment = {
  engines: ['embedded', 'postgresql'],
  sabotages: [
    {
      file: 'core/deliveries.ts',
      mechanism: 'const isNew = await inbox.insert({',
      without: 'const isNew = inbox.insert({'
    }
  ],

  async run(stage) {
    const service = await stage.start({ webhooks: true })
    await untilSubscribed(stage)
    for (let kill = 0; kill < kills; kill++) {
      const people = { event_type: standard.eventTypes.thirtyMinutes, count: bookingsPerKill }
      await stage.control('POST', '/book-many', people)
      await stage.pause(longestLifeMs)
      await service.kill()
      await service.start()
    }
    await untilWorkedOff(stage, service)
    await assertOnceEach(stage, service)
    return `${kills * bookingsPerKill} webhooks, ${kills} kills`
  }
}

async function assertOnceEach(stage: Stage, service: Service): Promise<void> {
  const bookings = await allBookings(stage, service)
  const invitees = (await activeInvitees(stage)).map(({ uri }) => uri)
  assert.equal(invitees.length, kills * bookingsPerKill)
  assert.equal(bookings.length, invitees.length, 'as many bookings here as at Calendly')
  assert.deepEqual(bookings.map(({ calendly }) => calendly.invitee).sort(), invitees.sort(), 'the same ones')
  for (const { id, status } of bookings) {
    assert.equal(status, 'confirmed')
    const { body } = await stage.ask(`${service.address}/api/v1/bookings/${id}/timeline`)
    const types = body.data.map(({ type }: { type: string }) => type)
    assert.deepEqual(types, ['recorded'], 'it happened once')
  }
}
