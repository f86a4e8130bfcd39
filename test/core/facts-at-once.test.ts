import t from 'tap'
import { createFacts } from '../../src/core/facts.ts'
import { realSystem } from '../../src/core/system.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openReplicas } from '../support/database.ts'
import { host, inviteeUri, tuesday } from '../support/samples.ts'
import { type Fact, faultsOf, hourMs, liveOf, tellingOf, worldOf } from './support/chains.ts'

t.setTimeout(300_000)
const chains = 24

/** In turns from each half: neighbours of one chain are told at the same moment. */
function shuffled(facts: readonly Fact[], turn: number): Fact[] {
  const step = [1, 5, 7, 11][turn % 4] ?? 1
  return facts
    .map((_, index) => facts[(index * step + turn) % facts.length])
    .filter((fact) => fact !== undefined)
}

for (const engine of engines) {
  t.test(`neighbours of a chain that are applied at once (${engine})`, async (t) => {
    const replicas = await openReplicas(t, engine)
    const { apply } = createFacts({ system: realSystem })
    let conflicts = 0
    const tell = async ({ invitee, event }: Fact, worker: number): Promise<void> => {
      const work = () =>
        replicas[worker % 2 === 0 ? 0 : 1].transaction((tx) =>
          apply(tablesOf(tx), 'default', invitee, event, 'webhook')
        )
      // As a delivery is tried again that has failed.
      await work().catch((error) => {
        conflicts++
        t.comment(String(error))
        return work()
      })
    }
    const places = 'ABCDEF'
    await Promise.all(
      Array.from({ length: chains }, async (_, nth) => {
        const hosts = [{ user: `${host}${nth}`, name: 'Hedy Host' }]
        const facts = shuffled(tellingOf(places, { chain: `${nth}-`, on: { hosts } }), nth)
        for (let at = 0; at < facts.length; at += 4) {
          await Promise.all(facts.slice(at, at + 4).map((fact, worker) => tell(fact, worker)))
        }
      })
    )
    const world = await worldOf(replicas[0].db)
    t.same(faultsOf(world), [])
    t.same(
      liveOf(world)
        .map(({ status, calendly, reschedules }) => ({ status, invitee: calendly.invitee, reschedules }))
        .map(({ reschedules, ...rest }) => ({
          ...rest,
          moves: reschedules.map(({ from, to }) => [(from - tuesday) / hourMs, (to - tuesday) / hourMs])
        }))
        .toSorted((one, other) => String(one.invitee).localeCompare(String(other.invitee))),
      Array.from({ length: chains }, (_, nth) => ({
        status: 'canceled',
        invitee: inviteeUri(`${nth}-F`),
        moves: [0, 1, 2, 3, 4].map((hour) => [hour, hour + 1])
      })).toSorted((one, other) => one.invitee.localeCompare(other.invitee))
    )
    t.ok(conflicts <= chains, `${conflicts} of ${chains * 12} had to be tried again`)
  })
}
