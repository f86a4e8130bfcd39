import assert from 'node:assert/strict'
import type { Answer } from '../../support/service.ts'
import { activeInvitees, freeTimes, insist, settled, workshop } from './bookings.ts'
import { type Act, type Deed, deeds, emailOf } from './deeds.ts'
import type { Service } from './service.ts'
import type { Stage } from './stage.ts'

/** A deed whose request is sent again and again until it is answered for good. */
type Doing = Deed & { answered: Promise<Answer> }

/** A deed may be cut short again and again before its turn comes. */
const longestMs = 900_000

export type Doings = Awaited<ReturnType<typeof openDoings>>

/** Deeds under way, each at times of its own. */
export async function openDoings(stage: Stage, service: Service) {
  const times = (await freeTimes(stage, service, workshop)).values()
  const begun: Doing[] = []
  const lasting: object[] = []
  let count = 0

  function nextTime(): string {
    const { value } = times.next()
    if (value === undefined) throw new Error('no time is left')
    return value
  }

  return {
    names: Object.keys(deeds),

    count: () => begun.length,

    /** Everything but the deed itself is done. */
    async prepare(name: string): Promise<Deed> {
      const prepared = await deeds[name]?.prepare({
        stage,
        service,
        marker: `deed-${String(++count).padStart(4, '0')}`,
        from: nextTime(),
        to: nextTime(),
        spoil: async (fault) => {
          lasting.push(fault)
          await stage.control('POST', '/faults', fault)
        }
      })
      assert(prepared, name)
      return prepared
    },

    /** Those that ask Calendly for that. */
    namesOf: (act: Act) => Object.keys(deeds).filter((name) => deeds[name]?.acts.includes(act)),

    begin(deed: Deed): Doing {
      const answered = insist(deed.send, longestMs)
      // Heard of at the end, by whoever awaits all of them.
      answered.catch(() => {})
      begun.push({ ...deed, answered })
      return { ...deed, answered }
    },

    /** Takes back all faults but those that belong to a deed; what has been asked is forgotten. */
    async mend(): Promise<void> {
      await stage.control('DELETE', '/faults')
      await stage.control('DELETE', '/requests')
      for (const fault of lasting) await stage.control('POST', '/faults', fault)
    },

    /** For how many of these Calendly has been asked for that since the faults were mended, and is silent. */
    async unanswered(asked: readonly Deed[], act: Act): Promise<number> {
      const { requests } = await stage.control('GET', '/requests')
      const { scheduled_events: events } = await stage.control('GET', '/state')
      const silenced = requests.filter(
        ({ fault, path }: { fault: string; path: string }) => fault === 'hang' && path.endsWith(act)
      )
      const emails = new Set<string>()
      for (const { path, body } of silenced) {
        if (act === '/invitees' && body !== null) emails.add(body.invitee.email)
        const event = events.find(({ uri }: { uri: string }) => path.startsWith(new URL(uri).pathname))
        for (const { email } of event?.invitees ?? []) emails.add(email)
      }
      // What is not acted upon is not read either: it is known to be somebody's.
      const anonymous =
        act === '/invitees' ? silenced.filter(({ body }: { body: unknown }) => body === null) : []
      return asked.filter((deed) => emails.has(emailOf(deed))).length + anonymous.length
    },

    /** Each has had its one effect, here and at Calendly. */
    async assertDone(): Promise<void> {
      const bookings = await Promise.all(begun.map((doing) => becomeOf(stage, service, doing)))
      const confirmed = bookings.filter(({ status }) => status === 'confirmed')
      const expected = confirmed.map(({ invitee, start_time, calendly }) =>
        seat(invitee.email, Date.parse(start_time), calendly.invitee)
      )
      const seats = await activeInvitees(stage)
      assert.deepEqual(
        seats.map(({ email, startTime, uri }) => seat(email, startTime, uri)).sort(),
        expected.sort(),
        'Calendly expects each once, at the right time'
      )
    }
  }
}

const seat = (email: string, startTime: number, uri: string) =>
  `${email} at ${new Date(startTime).toISOString()} as ${uri}`

/** The booking, as the deed should have left it. */
async function becomeOf(stage: Stage, { address }: Service, doing: Doing): Promise<Answer['body']> {
  const { marker, becomes, statuses, send } = doing
  const answer = await doing.answered
  const told = `${marker}: ${answer.status} ${answer.text}`
  assert(statuses.includes(answer.status), told)
  const booking = await settled(stage, address, doing.bookingId ?? answer.body.id)
  const { status, start_time: startTime } = booking
  assert.deepEqual({ status, startTime }, becomes, told)

  const again = await insist(send)
  assert.equal(again.headers['idempotent-replayed'], 'true', `${told}, then ${again.text}`)
  assert.equal(again.text, answer.text, `${told}, and the same again`)
  return booking
}
