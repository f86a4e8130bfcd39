import { randomBytes } from 'node:crypto'
import t from 'tap'
import { type EventEndpoint, secretPurpose } from '../../src/core/event-endpoint.ts'
import { createEndpointUpkeep } from '../../src/core/event-endpoint-upkeep.ts'
import { createVault } from '../../src/core/vault.ts'
import {
  createEndpointSecrets,
  createEventEndpoints,
  readEventEndpoints
} from '../../src/database/event-endpoints.ts'
import { engines, openTestEngine } from '../support/database.ts'

const endpoint: EventEndpoint = {
  id: 'ep_1',
  tenantId: 'default',
  url: 'https://shop.example.com/',
  types: ['booking.confirmed'],
  status: 'enabled',
  createdAt: 1_800_000_000_000,
  updatedAt: 1_800_000_000_000
}
const purpose = secretPurpose(endpoint)
const log = { info: () => {} }

for (const kind of engines) {
  t.test(`the secrets of event endpoints (${kind})`, async (t) => {
    const { db } = await openTestEngine(t, kind)
    const rows = createEventEndpoints(db)
    const { liveSecrets } = readEventEndpoints(db)
    const secrets = createEndpointSecrets(db)
    const [old, fresh] = [randomBytes(32), randomBytes(32)]
    const before = createVault(old)
    await rows.insert(endpoint)
    await rows.addSecret(endpoint, before.seal('first', purpose))

    t.test('a replaced secret signs until its time is over, by the clock of the database', async (t) => {
      t.equal(await rows.retireSecret(endpoint, 60_000), 1)
      await rows.addSecret(endpoint, before.seal('second', purpose))
      const open = async () => (await liveSecrets(endpoint.id)).map((secret) => before.open(secret, purpose))
      t.same(await open(), ['second', 'first'])
      t.equal(await rows.retireSecret(endpoint, 0), 1, 'of the newest alone')
      t.same(await open(), ['first'])
    })

    t.test('upkeep forgets what is over and seals anew what carries the key before', async (t) => {
      const after = createVault(fresh, old)
      await createEndpointUpkeep({ secrets, vault: after, log }).maintain()
      const kept = await secrets.list()
      t.equal(kept.length, 1)
      t.equal(createVault(fresh).open(kept[0]?.sealed ?? Buffer.alloc(0), purpose), 'first')
      await createEndpointUpkeep({ secrets, vault: createVault(fresh), log }).maintain()
      t.same(await secrets.list(), kept, 'once')
    })

    t.test('a secret that does not open stops nobody', async (t) => {
      await createEndpointUpkeep({ secrets, vault: createVault(old), log }).maintain()
      t.equal((await secrets.list()).length, 1)
    })

    t.test('a secret goes with its endpoint', async (t) => {
      await rows.remove(endpoint)
      t.same(await secrets.list(), [])
    })
  })
}
