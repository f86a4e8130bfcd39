import t from 'tap'
import { engines } from '../support/database.ts'
import { aBooking, anEvent, host, minuteMs, tuesday } from '../support/samples.ts'
import { dayMs, openComparison, tally } from './support/comparing.ts'
import { away } from './support/walked-calendly.ts'

const other = `${host}-2`
const later = tuesday + dayMs

for (const kind of engines) {
  t.test(`a comparison with Calendly on ${kind}`, async (t) => {
    const { begin } = await openComparison(t, kind)

    t.test('makes up for bookings and cancellations that were missed, each with one event', async (t) => {
      const service = await begin(20)
      const { world } = service
      for (let n = 0; n < 50; n++) world.book(`E${n}`, { startTime: tuesday + n * 60 * minuteMs })
      for (let n = 0; n < 10; n++) await service.tell(`E${n}`)
      for (let n = 0; n < 20; n++) world.cancel(`E${n}`)
      const { status, report } = await service.compare('schedule')
      t.equal(status, 'succeeded')
      t.same(report.counts, {
        missing_booking: { found: 40, repaired: 40 },
        missed_cancellation: { found: 20, repaired: 20 }
      })
      t.same(tally((await service.bookings()).map(({ status }) => status)), { canceled: 20, confirmed: 30 })
      const events = await service.events()
      t.same(tally(events.map(({ type, source }) => `${type} ${source}`)), {
        'booking.canceled reconciliation': 20,
        'booking.confirmed reconciliation': 30,
        'booking.confirmed undefined': 10
      })
      t.same(report.checked, { events: 50, invitees: 50, charges: 0, refunds: 0, calls: 3 + 50 + 1 })
      t.equal((await service.bookingOf('E40')).source, 'reconciliation')

      const again = await service.compare('schedule')
      t.same(again.report, {
        checked: { events: 50, invitees: 0, charges: 0, refunds: 0, calls: 4 },
        counts: {},
        differences: []
      })
      t.equal((await service.events()).length, events.length)
    })

    t.test('finds a reschedule, whichever half is listed first: the booking keeps its id', async (t) => {
      for (const at of [later, tuesday - 60 * minuteMs]) {
        const service = await begin()
        const { world } = service
        world.book('A')
        await service.tell('A')
        const { id } = await service.bookingOf('A')
        world.move('A', 'B', at)
        const { report } = await service.compare()
        t.same(report.counts, { missed_reschedule: { found: 1, repaired: 1 } })
        t.match(await service.bookings(), [{ id, status: 'confirmed', startTime: at }])
        t.same(
          (await service.events()).map(({ type, source }) => [type, source]),
          [
            ['booking.confirmed', undefined],
            ['booking.rescheduled', 'reconciliation']
          ]
        )
        t.same((await service.compare()).report.counts, {})
      }
    })

    t.test(
      'finds who missed an appointment, after a gap and on request, and who did not after all',
      async (t) => {
        const service = await begin()
        const { world } = service
        world.book('A', { startTime: tuesday - 900 * minuteMs })
        await service.tell('A')
        const noShow = { uri: 'https://api.calendly.com/invitee_no_shows/N', createdAt: tuesday }
        world.change('A', { noShow, updatedAt: tuesday })
        t.same((await service.compare('schedule')).report.counts, {}, 'which only the invitees tell')
        t.same((await service.compare('gap')).report.counts, { missed_no_show: { found: 1, repaired: 1 } })
        t.match(await service.bookingOf('A'), { noShow: true, noShowUri: noShow.uri })
        t.same((await service.compare('gap')).report.counts, {})
        world.change('A', { noShow: undefined, updatedAt: tuesday + 1 })
        const { report } = await service.compare('request')
        t.same(report.counts, { missed_no_show_removal: { found: 1, repaired: 1 } })
        t.same(
          (await service.events()).map(({ type }) => type),
          ['booking.confirmed', 'booking.no_show', 'booking.no_show_removed']
        )
      }
    )

    t.test('counts the invitees of a group event, and reads all pages of them', async (t) => {
      const service = await begin(2)
      const { world } = service
      const inviteesCounter = { total: 0, active: 0, limit: 10 }
      world.book('G', { inviteesCounter }, {}, {}, {})
      for (const number of [0, 1]) await service.tell('G', number)
      t.equal((await service.bookings()).length, 2)
      const first = await service.compare()
      t.same(first.report.counts, { missing_booking: { found: 1, repaired: 1 } })
      t.same(first.report.checked, { events: 1, invitees: 3, charges: 0, refunds: 0, calls: 4 })
      world.join('G')
      world.cancel('G', 0)
      t.same(
        (await service.compare()).report.counts,
        {
          missing_booking: { found: 1, repaired: 1 },
          missed_cancellation: { found: 1, repaired: 1 }
        },
        'as many as before, and not the same'
      )
      t.equal((await service.compare()).report.checked.invitees, 0)
      t.same(tally((await service.bookings()).map(({ status }) => status)), { canceled: 1, confirmed: 3 })
    })

    t.test('finds the booking of ours whose answer was lost', async (t) => {
      const service = await begin()
      await service.insert(aBooking({ status: 'unknown' }))
      service.world.book('A', {}, { tracking: { utmTerm: 'bkg_1' } })
      const { report } = await service.compare()
      t.same(report.counts, { missed_confirmation: { found: 1, repaired: 1 } })
      t.match(await service.bookings(), [{ id: 'bkg_1', status: 'confirmed', source: 'api' }])
    })

    t.test('follows the host that Calendly has put in another’s place', async (t) => {
      const service = await begin()
      const { world } = service
      const event = world.book('A')
      await service.tell('A')
      await service.system.sleep(1)
      world.events.set(event.uri, { ...event, hosts: [{ user: other, name: 'Another Host' }] })
      const { report } = await service.compare('schedule')
      t.match(report.differences, [{ kind: 'host_differs', repaired: true, calendlyEvent: event.uri }])
      const booking = await service.bookingOf('A')
      t.match(booking.hosts, [{ user: other, name: 'Another Host' }])
      t.same(await service.timeline(booking), ['recorded', 'corrected'])
      const own = await service.inTables(({ claims }) => claims.own('default', booking.id, tuesday))
      t.same(own, [{ host: other, isPool: false }])
      t.same((await service.compare('schedule')).report.counts, {})
    })

    t.test('asks for what is confirmed here and not listed', async (t) => {
      const service = await begin()
      const { world } = service
      for (const name of ['A', 'B', 'C']) {
        world.book(name, { startTime: tuesday + name.charCodeAt(0) * 60 * minuteMs })
        await service.tell(name)
      }
      await service.system.sleep(1)
      world.forget('B')
      const { report } = await service.compare()
      t.match(report.differences, [
        {
          kind: 'unknown_at_calendly',
          bookingId: (await service.bookingOf('B')).id,
          calendlyEvent: anEvent('B').uri,
          repaired: false
        }
      ])
      t.match(await service.bookingOf('B'), { status: 'confirmed', version: 1 }, 'and leaves it to a human')
      t.same(world.asked, ['events', 'event', 'events'])
    })

    t.test('finds a cancellation of what is listed at another time', async (t) => {
      const service = await begin()
      const { world } = service
      world.book('A')
      await service.tell('A')
      await service.system.sleep(1)
      world.cancel('A')
      const listed = world.events.get(anEvent('A').uri) ?? anEvent('A')
      world.events.set(listed.uri, { ...listed, startTime: tuesday - 400 * dayMs })
      t.same((await service.compare()).report.counts, { missed_cancellation: { found: 1, repaired: 1 } })
      t.match(await service.bookings(), [{ status: 'canceled' }])
    })

    t.test('tells of what was canceled here and stands there, and revives nothing', async (t) => {
      const service = await begin()
      const { world } = service
      world.book('A')
      await service.tell('A')
      world.cancel('A')
      await service.tell('A')
      world.change('A', { status: 'active' })
      world.events.set(anEvent('A').uri, anEvent('A'))
      const { report } = await service.compare()
      t.match(report.differences, [{ kind: 'active_at_calendly', repaired: false }])
      t.match(await service.bookings(), [{ status: 'canceled' }])
    })

    t.test('goes on over what cannot be read or applied', async (t) => {
      const service = await begin()
      const { world } = service
      world.book('A')
      world.book('B', { startTime: tuesday + 60 * minuteMs }, { name: 'No\0t to be kept' })
      world.book('C', { startTime: tuesday + 120 * minuteMs })
      world.unreadable.add(anEvent('A').uri)
      const { status, report } = await service.compare()
      t.equal(status, 'succeeded')
      t.same(report.counts, {
        unreadable: { found: 1, repaired: 0 },
        not_applied: { found: 1, repaired: 0 },
        missing_booking: { found: 1, repaired: 1 }
      })
      t.match(service.errors, [/difference from Calendly not repaired/])
    })

    t.test('leaves a no-show alone that became so while it was reading', async (t) => {
      const service = await begin()
      const { world } = service
      world.book('A', { startTime: tuesday - 900 * minuteMs })
      await service.tell('A')
      const { id } = await service.bookingOf('A')
      const noShow = { uri: 'https://api.calendly.com/invitee_no_shows/N' }
      // Marked here between the reading and what is made of it.
      world.beforeAnswer = async (asked) => {
        if (asked !== 'invitees') return
        world.beforeAnswer = async () => {}
        await service.inTables(async ({ bookings }) => {
          const booking = await bookings.lock('default', id)
          if (booking) await bookings.update({ ...booking, noShow: true, noShowUri: noShow.uri, version: 2 })
        })
      }
      world.change('A', { updatedAt: tuesday + 5 })
      world.join('A')
      t.same((await service.compare('gap')).report.counts, { missing_booking: { found: 1, repaired: 1 } })
      t.match(await service.bookings(), [{ noShow: false }, { id, noShow: true, version: 2 }])
    })

    t.test('does not undo a cancellation that a webhook told while it was reading', async (t) => {
      const service = await begin()
      const { world } = service
      world.book('A')
      const active = world.events.get(anEvent('A').uri)
      world.beforeAnswer = async (asked) => {
        if (asked !== 'invitees') return
        world.beforeAnswer = async () => {}
        world.cancel('A')
        await service.tell('A')
        world.change('A', { status: 'active' })
        if (active) world.events.set(active.uri, active)
      }
      const { report } = await service.compare()
      t.same(report.counts, {})
      t.match(await service.bookings(), [{ status: 'canceled' }])
      t.same(
        (await service.events()).map(({ type, source }) => `${type} ${source}`),
        ['booking.canceled undefined']
      )
    })

    t.test('looks at what starts within the range only', async (t) => {
      const service = await begin()
      const { world } = service
      for (const n of [0, 1, 2]) world.book(`E${n}`, { startTime: tuesday + n * 60 * dayMs })
      await service.compare('request', { from: tuesday + 1, to: tuesday + 120 * dayMs })
      t.match(await service.bookings(), [{ startTime: tuesday + 60 * dayMs }])
      t.equal(world.asked.filter((asked) => asked === 'events').length, 4, 'in windows of 31 days')
      t.same((await service.compare('request', { from: tuesday + 1 })).report.counts, {
        missing_booking: { found: 1, repaired: 1 }
      })
      t.same(world.asked, ['events', 'invitees'], 'what lies ahead is one window')
    })

    t.test(
      'survives a death after any of its commits: nothing is lost, told twice or left out of the report',
      async (t) => {
        let commits = 0
        for (let isOver = false; !isOver; ) {
          const service = await begin(3)
          const { world, life } = service
          for (let n = 0; n < 7; n++) world.book(`E${n}`, { startTime: tuesday + n * 60 * minuteMs })
          for (const n of [0, 1, 2]) await service.tell(`E${n}`)
          await service.system.sleep(1)
          world.cancel('E0')
          world.move('E1', 'M1', later)
          world.forget('E2')
          const queued = await service.queue()
          life.commitsLeft = ++commits
          isOver = (await service.run(queued)).status === 'succeeded'
          life.commitsLeft = Number.POSITIVE_INFINITY
          const { status, report } = await service.run(queued)
          t.equal(status, 'succeeded', `after ${commits}`)
          t.match(report.counts, {
            missing_booking: { found: 4, repaired: 4 },
            missed_cancellation: { found: 1 },
            missed_reschedule: { found: 1 },
            unknown_at_calendly: { found: 1 }
          })
          t.same(tally((await service.events()).map(({ type }) => type)), {
            'booking.canceled': 1,
            'booking.confirmed': 7,
            'booking.rescheduled': 1
          })
        }
        t.ok(commits > 8, `${commits} commits`)
      }
    )

    t.test('goes on from the last page', async (t) => {
      const service = await begin(2)
      const { world } = service
      for (let n = 0; n < 6; n++) world.book(`E${n}`, { startTime: tuesday + n * 60 * minuteMs })
      const queued = await service.queue()
      // Two bookings and a place, and again.
      service.life.commitsLeft = 6
      t.match((await service.run(queued)).place, { from: tuesday + 180 * minuteMs })
      world.asked.length = 0
      service.life.commitsLeft = Number.POSITIVE_INFINITY
      const { report } = await service.run(queued)
      t.same(world.asked, ['events', 'invitees', 'events', 'invitees'])
      t.match(report.counts, { missing_booking: { found: 6 } })
    })

    t.test('writes nothing any more once another replica has taken over', async (t) => {
      const service = await begin()
      const { world } = service
      world.book('A')
      world.book('B', { startTime: later })
      const queued = await service.queue()
      let epoch = 0
      world.beforeAnswer = async (asked) => {
        if (asked === 'invitees' && epoch === 0) epoch = await service.takeLease()
      }
      t.match(await service.run(queued), { status: 'queued', report: { counts: {} } })
      t.same(await service.bookings(), [])
      t.match(await service.run(queued, epoch), { status: 'succeeded' })
      t.equal((await service.bookings()).length, 2)
    })

    t.test('waits where quota is used up or Calendly is away, and goes on', async (t) => {
      const service = await begin(2)
      const { world, system } = service
      for (let n = 0; n < 4; n++) world.book(`E${n}`, { startTime: tuesday + n * 60 * minuteMs })
      world.failures = [undefined, away(30_000), away(), away(), undefined, away(7_200_000)]
      const begun = system.now()
      const { status, report } = await service.compare()
      t.equal(status, 'succeeded')
      t.match(report.counts, { missing_booking: { found: 4, repaired: 4 } })
      t.same(system.slept, [30_000, 2_000, 4_000, 60_000])
      t.equal(system.now() - begun, 96_000)
    })

    t.test('has failed when Calendly has not answered for a day', async (t) => {
      const service = await begin()
      const { world, system } = service
      world.book('A')
      world.failures = Array.from({ length: 2000 }, () => away())
      const begun = system.now()
      const { status, failure, finishedAt = 0 } = await service.compare()
      t.match({ status, failure }, { status: 'failed', failure: /has not answered for a day/ })
      t.ok(finishedAt - begun >= dayMs && finishedAt - begun < dayMs + 2 * minuteMs)
    })

    t.test('stops where it is when the service stops', async (t) => {
      const service = await begin()
      const { world } = service
      world.book('A')
      const stopping = new AbortController()
      world.beforeAnswer = async () => stopping.abort()
      const queued = await service.queue()
      await service.run(queued, await service.takeLease(), stopping.signal)
      t.match(await service.read(queued), { status: 'queued' })
      world.beforeAnswer = async () => {}
      t.match(await service.run(queued), { status: 'succeeded' })
    })

    t.test('counts every difference and names the first 200', async (t) => {
      const service = await begin()
      for (let n = 0; n < 210; n++) service.world.book(`E${n}`, { startTime: tuesday + n * 60 * minuteMs })
      const { report } = await service.compare()
      t.same(report.counts.missing_booking, { found: 210, repaired: 210 })
      t.equal(report.differences.length, 200)
    })
  })
}
