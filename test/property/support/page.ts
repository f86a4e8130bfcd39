import assert from 'node:assert/strict'
import fc from 'fast-check'
import { at, command, index, iso, live, slot, time } from './command.ts'
import { type Scene, settled, untilApplied } from './deeds.ts'
import { heldInTheWay, isSameTime, type Model, type ModelBooking, pageOffers } from './model.ts'

/** Holds that Calendly's word ends say so; where only buffers meet, either way is right. */
async function tell(model: Model, { world }: Scene, fact: ModelBooking): Promise<void> {
  const { lost, perhaps } = heldInTheWay(model, fact)
  for (const hold of lost) hold.status = 'lost'
  for (const hold of perhaps) {
    const { body } = await world.ask('GET', `/api/v1/holds/${hold.id}`)
    if (body.status === 'lost') hold.status = 'lost'
  }
}

export const bookOnPage = command('book on the page', time, async (model, scene, wanted) => {
  const email = `${scene.name}-${++model.count}@example.com`
  const isOffered = pageOffers(model, wanted)
  const booked = await onPage(scene, '/book', {
    event_type: scene.eventTypes[wanted.kind],
    start_time: iso(scene, wanted),
    email
  })
  assert.equal(booked, isOffered, 'the page and the model agree')
  if (!isOffered) return
  await untilApplied(scene)
  const { body } = await scene.world.ask('GET', `/api/v1/bookings?invitee_email=${email}`)
  assert.equal(body.data.length, 1, 'who books on the page is a booking')
  const fact = { ...wanted, id: body.data[0].id, email, isLive: true, isFact: true }
  model.bookings.push(fact)
  await tell(model, scene, fact)
})

export const cancelOnPage = command(
  'cancel on the page',
  fc.record({ n: index, by: fc.constantFrom('invitee', 'host') }),
  async (model, scene, { n, by }) => {
    const chosen = at(live(model), n)
    assert(await onPage(scene, '/cancel', { invitee: await inviteeOf(scene, chosen), by }))
    const gone =
      by === 'host' && chosen.kind === 'group'
        ? live(model).filter((other) => isSameTime(other, chosen))
        : [chosen]
    for (const booking of gone) booking.isLive = false
  },
  (model) => live(model).length > 0
)

export const moveOnPage = command(
  'reschedule on the page',
  fc.record({ n: index, slot }),
  async (model, scene, { n, slot }) => {
    const chosen = at(live(model), n)
    const wanted = { kind: chosen.kind, slot }
    if (isSameTime(chosen, wanted)) return
    const isOffered = pageOffers(model, wanted, chosen)
    const body = { invitee: await inviteeOf(scene, chosen), start_time: iso(scene, wanted) }
    assert.equal(await onPage(scene, '/reschedule', body), isOffered, 'the page and the model agree')
    if (!isOffered) return
    await untilApplied(scene)
    Object.assign(chosen, wanted, { isFact: true })
    await tell(model, scene, chosen)
  },
  (model) => live(model).length > 0
)

const inviteeOf = async (scene: Scene, { id }: ModelBooking): Promise<string> =>
  (await settled(scene, id)).calendly.invitee

/** Whether the page does it. */
const onPage = ({ world }: Scene, path: string, body: object): Promise<boolean> =>
  world.control('POST', path, body).then(
    () => true,
    () => false
  )
