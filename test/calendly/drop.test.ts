import fc from 'fast-check'
import t from 'tap'
import { AppError } from '../../src/core/errors.ts'
import { every, everyHour, midnight, openTimes, settle } from './fixtures/times.ts'

const day = 86_400_000
const [A, B, C, D] = ['A', 'B', 'C', 'D'].map((id) => `https://api.calendly.com/event_types/${id}`) as [
  string,
  string,
  string,
  string
]

/** How many calls it takes to know those event types' times again. */
async function callsFor(
  { ask, asked }: Pick<ReturnType<typeof openTimes>, 'ask' | 'asked'>,
  types: string[]
) {
  const before = asked.length
  for (const type of types) await ask(1, 3, { type })
  return asked.slice(before).map(({ eventType }) => eventType)
}

t.test('dropped times are asked for again, and those of others are not', async (t) => {
  const times = openTimes()
  await callsFor(times, [A, B, `${A}2`])
  times.dropAvailability(A)
  t.same(await callsFor(times, [A, B, `${A}2`]), [A])
})

t.test('a booking takes its hosts’ time from all their event types', async (t) => {
  const times = openTimes()
  times.learnHosts(A, ['ada'])
  times.learnHosts(B, ['bob', 'ada'])
  times.learnHosts(C, ['bob'])
  await callsFor(times, [A, B, C, D])
  times.dropAvailability(A)
  t.same(await callsFor(times, [A, B, C, D]), [A, B, D], 'and from those whose hosts are not known')
  times.dropAvailability(B, ['bob'])
  t.same(await callsFor(times, [A, B, C]), [B, C], 'of a team only who took part')
  times.learnHosts(A, ['bob'])
  times.dropAvailability(C, ['bob'])
  t.same(await callsFor(times, [A, B, C]), [A, B, C], 'hosts change')
})

t.test('with no hosts known, it is the event type alone', async (t) => {
  const times = openTimes()
  await callsFor(times, [A, B])
  times.dropAvailability(A)
  t.same(await callsFor(times, [A, B]), [A])
})

t.test(
  'what is announced names the hosts, so that a replica that does not know them drops enough',
  async (t) => {
    const announced: Parameters<typeof replica.hear>[0][] = []
    const replica = openTimes()
    const times = openTimes({ announce: (news) => announced.push(news) })
    times.learnHosts(A, ['ada'])
    replica.learnHosts(B, ['ada'])
    replica.learnHosts(C, ['bob'])
    await callsFor(replica, [A, B, C])
    times.dropAvailability(A)
    t.same(announced, [{ kind: 'availability', eventType: A, hosts: ['ada'] }])
    for (const news of announced) replica.hear(news)
    t.same(await callsFor(replica, [A, B, C]), [A, B])
    t.equal(announced.length, 1)
  }
)

/** Times whose seats tell the state of Calendly's books when they were read; every read waits for the test. */
function openBooks() {
  const books = { version: 1 }
  const reads: (() => void)[] = []
  const times = openTimes({
    answer: async (range) => {
      const { version } = books
      await new Promise<void>((resolve) => reads.push(resolve))
      return everyHour(range).map((offer) => ({ ...offer, invitees_remaining: version }))
    }
  })
  /** Something is booked, and we hear of it. */
  const book = () => {
    books.version++
    times.dropAvailability(A)
  }
  const answerAll = async () => {
    await settle()
    for (const answer of reads.splice(0)) answer()
    await settle()
  }
  const ask = async () => (await times.ask(1, 2, { type: A })).times[0]?.inviteesRemaining
  return { ...times, ask, book, answerAll }
}

t.test('what was read before a drop is not remembered after it', async (t) => {
  const { ask, book, answerAll } = openBooks()
  const early = ask()
  await settle()
  book()
  const late = ask()
  await answerAll()
  t.equal(await early, 1)
  t.equal(await late, 2, 'who asks after the drop does not wait for the read before it')
  t.equal(await ask(), 2)
})

t.test('what a window brought along is not remembered after a drop either', async (t) => {
  const { ask, book, answerAll, availableTimes } = openBooks()
  const early = ask()
  await settle()
  book()
  await answerAll()
  await early
  const other = availableTimes({ eventType: A, startTime: midnight + 5 * day, endTime: midnight + 6 * day })
  await answerAll()
  t.equal((await other).times[0]?.inviteesRemaining, 2)
})

t.test('a drop while asks are gathered leaves them their answer', async (t) => {
  const { ask, book, answerAll } = openBooks()
  const early = ask()
  book()
  const late = ask()
  await answerAll()
  t.same(await Promise.all([early, late]), [2, 2])
  t.equal(await ask(), 2)
})

t.test('a drop discards what is being revalidated', async (t) => {
  const { ask, book, answerAll, clock } = openBooks()
  const first = ask()
  await answerAll()
  await first
  clock.time += 60_000
  t.equal(await ask(), 1)
  await settle()
  book()
  await answerAll()
  const late = ask()
  await answerAll()
  t.equal(await late, 2)
})

const down = new AppError('calendly_unavailable', 'down')

t.test('whatever is asked, dropped and answered when: no answer is from before the last drop', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ ask: fc.tuple(fc.nat(70), fc.nat(70), fc.boolean()) }) },
    { weight: 2, arbitrary: fc.constant('book' as const) },
    { weight: 3, arbitrary: fc.record({ answer: fc.nat(5), fails: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ pass: fc.constantFrom(1_000, 20_000, 200_000) }) },
    { weight: 2, arbitrary: fc.constant('turn' as const) }
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      let version = 1
      const reads: PromiseWithResolvers<void>[] = []
      const replicas = [0, 1].map((index) =>
        openTimes({
          announce: (news) => replicas[1 - index]?.hear(news),
          answer: async (range) => {
            const invitees_remaining = version
            const read = Promise.withResolvers<void>()
            reads.push(read)
            await read.promise
            return every(7, range).map((offer) => ({ ...offer, invitees_remaining }))
          }
        })
      )
      const asks: Promise<void>[] = []

      async function check(index: number, [a, b, fresh]: [number, number, boolean]): Promise<void> {
        const heard = version
        const asking = replicas[index]?.ask(Math.min(a, b), Math.max(a, b) + 1, { fresh })
        const answer = await asking?.catch((error) => {
          if (error !== down) throw error
        })
        for (const { inviteesRemaining } of answer?.times ?? []) {
          if (inviteesRemaining < heard) throw new Error(`${inviteesRemaining} was read before ${heard}`)
        }
      }

      for (const [i, each] of steps.entries()) {
        if (each === 'turn') await settle()
        else if (each === 'book') {
          version++
          replicas[i % 2]?.dropAvailability('https://api.calendly.com/event_types/A')
        } else if ('ask' in each) asks.push(check(i % 2, each.ask))
        else if ('pass' in each) for (const { clock } of replicas) clock.time += each.pass
        else {
          const [read] = reads.splice(each.answer, 1)
          if (each.fails) read?.reject(down)
          else read?.resolve()
        }
      }
      for (;;) {
        await settle()
        if (reads.length === 0) break
        for (const read of reads.splice(0)) read.resolve()
      }
      await Promise.all(asks)
    }),
    { numRuns: 200 }
  )
})
