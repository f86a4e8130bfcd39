import t from 'tap'
import type { EventFact, InviteeFact } from '../../src/core/calendly.ts'
import { createPredecessors } from '../../src/core/predecessors.ts'
import { aBooking, anEvent, anInvitee, inviteeUri } from '../support/samples.ts'
import { openTables } from '../support/tables.ts'

t.test('whom an invitee was moved from', async (t) => {
  const { transact } = await openTables(t)

  /** A Calendly with the chain A, B, C … that may fail, or never answer, from one of them on. */
  function open(places: string, { missing = '', hanging = '' } = {}) {
    const asked: string[] = []
    const names = [...places]
    const find = async (uri: string): Promise<InviteeFact | undefined> => {
      const index = names.findIndex((name) => inviteeUri(name) === uri)
      const [name = '', before] = [names[index], names[index - 1]]
      asked.push(name)
      if (name === hanging) return new Promise(() => {})
      if (name === '' || name === missing) return undefined
      return anInvitee(name, { oldInvitee: before && inviteeUri(before) })
    }
    const findEvent = async (uri: string): Promise<EventFact> => anEvent(uri.slice(uri.lastIndexOf('/') + 1))
    let endsNow = () => {}
    const inTime = <T>(work: Promise<T>, ms: number): Promise<T> => {
      t.equal(ms, 3_000)
      const late = new Promise<never>((_, reject) => {
        endsNow = () => reject(new Error('too long'))
      })
      return Promise.race([work, late])
    }
    const predecessors = createPredecessors({ transact, calendly: { findInvitee: find, findEvent, inTime } })
    const last = names.at(-1) ?? ''
    const invitee = anInvitee(last, { oldInvitee: inviteeUri(names.at(-2) ?? '') })
    return {
      asked,
      end: () => endsNow(),
      found: async () => {
        const seen = await predecessors.find('default', invitee)
        return seen.map(
          ({ invitee, event }) => `${invitee.uri === inviteeUri(event.uri.slice(-1))} ${event.uri.at(-1)}`
        )
      }
    }
  }

  t.test('is read back to the beginning, and comes oldest first', async (t) => {
    const { found, asked } = open('ABCD')
    t.same(await found(), ['true A', 'true B', 'true C'])
    t.same(asked, ['C', 'B', 'A'])
  })

  t.test('is not asked for where anything is known of it, were it only its name', async (t) => {
    await transact(async (tables) => {
      await tables.bookings.insert(aBooking())
      await tables.invitees.put('default', { uri: inviteeUri('Q'), bookingId: 'bkg_1', state: 'moved' })
    })
    const direct = open('QR')
    t.same(await direct.found(), [])
    t.same(direct.asked, [])
    const further = open('PQRS')
    t.same(await further.found(), ['true R'])
    t.same(further.asked, ['R'])
  })

  t.test('is left out where Calendly does not know it, or does not answer in time', async (t) => {
    t.same(await open('ABCD', { missing: 'B' }).found(), ['true C'])
    t.same(await open('ABCD', { missing: 'C' }).found(), [])
    const slow = open('ABCD', { hanging: 'B' })
    const found = slow.found()
    while (!slow.asked.includes('B')) await new Promise(setImmediate)
    slow.end()
    t.same(await found, ['true C'], 'and what was read until then is used')
  })

  t.test('is read of ten at most', async (t) => {
    t.equal((await open('ABCDEFGHIJKLMNO').found()).length, 10)
  })
})
