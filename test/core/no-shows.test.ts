import t from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import type { InviteeFact, NoShowOutcome, NoShowRemoval } from '../../src/core/calendly.ts'
import { AppError } from '../../src/core/errors.ts'
import type { Execution } from '../../src/core/idempotency.ts'
import { applyNoShow, createNoShows } from '../../src/core/no-shows.ts'
import { aBooking, anInvitee, minuteMs, tuesday } from '../support/samples.ts'
import { openTables } from '../support/tables.ts'

const { transact, reads } = await openTables(t)
const caller = { tenantId: 'default', name: 'shop', scopes: [] }
const once: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }
const noShow = 'https://api.calendly.com/invitee_no_shows/N'
const lost = { kind: 'ambiguous', cause: new Error('reset') } as const
const refused = { kind: 'refused', detail: 'Event is not started yet' } as const
const away = { kind: 'not_done', detail: 'Calendly did not answer', retryAfterMs: 2_000 } as const
let bookings = 0

/** A confirmed booking, and a Calendly whose answers to writes are replaced after (or instead of) what they do. */
async function attended(changes: Partial<Booking> = {}) {
  const name = `N${++bookings}`
  const seat: { invitee?: InviteeFact | undefined } = { invitee: anInvitee(name) }
  const script = {
    mark: [] as { does?: boolean; answer?: NoShowOutcome }[],
    remove: [] as { does?: boolean; answer?: NoShowRemoval }[]
  }
  const writes: string[] = []
  const booking = aBooking({
    id: `bkg_${name}`,
    status: 'confirmed',
    calendly: { invitee: anInvitee(name).uri, event: anInvitee(name).event },
    ...changes
  })
  await transact(async (tables) => {
    await tables.bookings.insert(booking)
    await tables.invitees.put('default', {
      uri: anInvitee(name).uri,
      bookingId: booking.id,
      state: 'active'
    })
  })
  const set = (fact: InviteeFact['noShow']) => {
    if (seat.invitee) seat.invitee = { ...seat.invitee, noShow: fact }
  }
  const open = () =>
    createNoShows({
      system: { now: () => tuesday + 60 * minuteMs },
      transact,
      reads,
      calendly: {
        findInvitee: async () => seat.invitee,
        markNoShow: async (invitee) => {
          writes.push(`mark ${invitee}`)
          const { does = true, answer = { kind: 'done', uri: noShow } } = script.mark.shift() ?? {}
          if (does) set({ uri: noShow })
          return answer
        },
        removeNoShow: async (uri) => {
          writes.push(`remove ${uri}`)
          const { does = true, answer = { kind: 'done' } } = script.remove.shift() ?? {}
          if (does) set(undefined)
          return answer
        }
      }
    })
  const entries = async () =>
    (await reads.timeline('default', booking.id)).map(({ type, detail }) => [type, detail.by])
  return {
    id: booking.id,
    open,
    seat,
    set,
    script,
    writes,
    entries,
    now: () => reads.find('default', booking.id)
  }
}

t.test('a no-show is marked and taken back, each once however often it is asked for', async (t) => {
  const { id, open, writes, entries } = await attended()
  const { mark, remove } = open()
  t.match(await mark(caller, id, once), { noShow: true, noShowUri: noShow, version: 2 })
  t.match(await mark(caller, id, once), { noShow: true, version: 2 })
  t.match(await remove(caller, id), { noShow: false, version: 3 })
  t.match(await remove(caller, id), { noShow: false, version: 3 })
  t.equal(writes.length, 2)
  t.same(await entries(), [
    ['no_show_marked', 'caller:shop'],
    ['no_show_removed', 'caller:shop']
  ])
})

t.test(
  'a lost answer is looked into: what was done is a success, what was not can be sent again',
  async (t) => {
    const { id, open, script, writes } = await attended()
    const { mark, remove } = open()
    script.mark.push({ does: false, answer: lost }, { answer: lost })
    await t.rejects(mark(caller, id, once), { code: 'calendly_unavailable' })
    t.match(await mark(caller, id, once), { noShow: true, noShowUri: noShow })
    script.remove.push({ does: false, answer: lost }, { answer: lost })
    await t.rejects(remove(caller, id), { code: 'calendly_unavailable' })
    t.match(await remove(caller, id), { noShow: false })
    t.equal(writes.length, 4)
  }
)

t.test('what was done before the process died is found done by the repeated request', async (t) => {
  const { id, open, set, writes, now } = await attended()
  set({ uri: noShow })
  t.match(await open().mark(caller, id, once), { noShow: true, noShowUri: noShow })
  set(undefined)
  t.match(await open().remove(caller, id), { noShow: false })
  set({ uri: noShow })
  t.match(await open().remove(caller, id), { noShow: false }, 'a mark that was never written is removed')
  t.same(writes, [`remove ${noShow}`])
  t.notOk((await now())?.noShowUri)
})

t.test('the refusal to mark twice is a success for the second of two at once', async (t) => {
  const { id, open, script } = await attended()
  const { mark } = open()
  script.mark.push({}, { answer: { kind: 'refused', detail: 'is already marked as no show' } })
  const [one, other] = await Promise.all([mark(caller, id, once), mark(caller, id, once)])
  t.match([one, other], [{ noShow: true }, { noShow: true }])
  t.equal((await open().mark(caller, id, once)).version, 2)
})

t.test('a refusal is told in Calendly’s words, an outage as one, and nothing is written', async (t) => {
  const { id, open, script, entries, set } = await attended()
  script.mark.push({ does: false, answer: refused }, { does: false, answer: away })
  await t.rejects(open().mark(caller, id, once), { code: 'calendly_rejected', message: refused.detail })
  await t.rejects(open().mark(caller, id, once), { code: 'calendly_unavailable', retryAfterMs: 2_000 })
  set({ uri: noShow })
  script.remove.push({ does: false, answer: away })
  await t.rejects(open().remove(caller, id), { code: 'calendly_unavailable' })
  t.same(await entries(), [])
})

t.test('only a confirmed booking that nobody is changing has one', async (t) => {
  const move = { kind: 'move', state: 'pending', requestedAt: tuesday } as const
  for (const changes of [{ status: 'canceled' }, { status: 'unknown' }, { change: move }] as const) {
    const { id, open, writes } = await attended(changes)
    await t.rejects(open().mark(caller, id, once), { code: 'calendly_rejected' })
    await t.rejects(open().remove(caller, id), { code: 'calendly_rejected' })
    t.same(writes, [])
  }
  const { id, open, seat } = await attended()
  delete seat.invitee
  await t.rejects(open().mark(caller, id, once), { code: 'calendly_rejected' })
  await t.rejects(open().mark(caller, 'bkg_unknown', once), { code: 'booking_not_found' })
  await t.rejects(open().remove({ ...caller, tenantId: 'other' }, id), { code: 'booking_not_found' })
})

t.test('the key of a request is bound in the transaction that writes', async (t) => {
  const { id, open, now } = await attended()
  const stolen: Execution = {
    ...once,
    begin: async () => {
      throw new AppError('idempotency_in_progress')
    }
  }
  await t.rejects(open().mark(caller, id, stolen), { code: 'idempotency_in_progress' })
  t.match(await now(), { noShow: false, version: 1 })
})

t.test('what Calendly reports is applied in whatever order it comes', async (t) => {
  const marked = { noShow: { uri: noShow }, updatedAt: tuesday + 1 }
  const removed = { noShow: undefined, updatedAt: tuesday + 2 }
  for (const news of [
    [marked, removed],
    [removed, marked],
    [marked, marked, removed, removed, marked]
  ]) {
    const { id, seat, now } = await attended()
    for (const changes of news) {
      const invitee = { ...(seat.invitee ?? anInvitee('none')), ...changes }
      await transact((tables) => applyNoShow(tables, 'default', invitee, { now: tuesday + 60 * minuteMs }))
    }
    t.match(await now(), { noShow: false })
    t.equal((await reads.timeline('default', id)).length, news[0] === marked ? 2 : 0)
  }
  const { id, seat, entries, now } = await attended()
  const invitee = { ...(seat.invitee ?? anInvitee('none')), ...marked }
  await transact((tables) => applyNoShow(tables, 'default', invitee, { now: tuesday + 60 * minuteMs }))
  t.match(await now(), { id, noShow: true, noShowUri: noShow })
  t.same(await entries(), [['no_show_marked', 'calendly']])
})

t.test('a late word of what we did ourselves does it once', async (t) => {
  const { id, seat, entries, now, open } = await attended()
  await open().mark(caller, id, once)
  await open().remove(caller, id)
  const told = anInvitee(seat.invitee?.uri.split('/').at(-1) ?? '')
  for (const changes of [
    { noShow: { uri: noShow, createdAt: tuesday + 1 }, updatedAt: tuesday + 1 },
    { noShow: undefined, updatedAt: tuesday + 2 }
  ]) {
    const invitee = { ...told, uri: seat.invitee?.uri ?? '', ...changes }
    await transact((tables) => applyNoShow(tables, 'default', invitee, { now: tuesday + 61 * minuteMs }))
  }
  t.match(await now(), { noShow: false })
  t.same(
    (await entries()).map(([type]) => type),
    ['no_show_marked', 'no_show_removed']
  )
})

t.test('a removal that does not touch the invitee counts by when it was told', async (t) => {
  const { seat, now } = await attended()
  const untouched = { ...(seat.invitee ?? anInvitee('none')), updatedAt: tuesday - minuteMs }
  const markedAt = tuesday + 500
  const marked = { ...untouched, noShow: { uri: noShow, createdAt: markedAt } }
  const say = (invitee: InviteeFact, toldAt: number) =>
    transact((tables) => applyNoShow(tables, 'default', invitee, { now: tuesday, toldAt }))
  await say(marked, tuesday)
  t.match(await now(), { noShow: true })
  await say(untouched, tuesday - minuteMs)
  t.match(await now(), { noShow: true }, 'an older removal was of another one')
  await say(untouched, tuesday)
  t.match(await now(), { noShow: false }, 'in the same second')
  await say(marked, tuesday)
  t.match(await now(), { noShow: false }, 'its mark, told again')
})
