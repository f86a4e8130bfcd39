import type { EventFact } from './calendly.ts'
import { AppError } from './errors.ts'
import type { Reconciliation } from './reconciliation.ts'
import type { KnownSeat } from './reconciliation-compare.ts'
import { runToItsEnd } from './reconciliation-end.ts'
import { openRunLog, type RunLog, type TransactRun } from './reconciliation-log.ts'
import { createLook, type Look, type LookDeps } from './reconciliation-look.ts'
import { createPatience, type Patience } from './reconciliation-patience.ts'
import type { System } from './system.ts'

const windowMs = 31 * 86_400_000
/** Of a window, each of a hundred: less than an endless chain of them. */
const mostPages = 10_000

type Range = { from: number; to: number | undefined }
/** Where a page begins; only who made it knows what is in it. */
type Place = object
type EventPage<P> = { events: readonly (EventFact | undefined)[]; next: P | undefined }

type Deps<P extends Place> = Omit<LookDeps, 'calendly'> & {
  system: Pick<System, 'now' | 'sleep'>
  transact: TransactRun
  reads: {
    /** Of these events, by URI. */
    seatsOf: (tenantId: string, events: readonly string[]) => Promise<KnownSeat[]>
    /** Confirmed, untouched since `asOf` and starting in the range, with none of these events. Ascends by id. */
    confirmedBeside: (
      tenantId: string,
      range: Range,
      but: { events: readonly string[]; asOf: number; after: string }
    ) => Promise<{ id: string; event: string }[]>
  }
  calendly: LookDeps['calendly'] & {
    /** Ascends by start. Throws `calendly_rejected` where Calendly would not have it, such as an old place. */
    pageOfEvents: (range: Range, place?: P) => Promise<EventPage<P>>
    /** Undefined where it is unknown to Calendly or not to be seen. */
    lookAtEvent: (uri: string) => Promise<EventFact | undefined>
  }
}

/** Walks through everything that is booked at Calendly and through what is booked here, and repairs what differs. */
export function createReconciliationRun<P extends Place>(deps: Deps<P>) {
  const { system, transact, reads, calendly, log: machineLog } = deps

  type Run = { of: Reconciliation; log: RunLog; patient: Patience; look: Look }

  /** Goes on where an earlier run was cut off. Returns early where the signal fires or another replica has taken over. */
  return async function run(of: Reconciliation, epoch: number, signal: AbortSignal): Promise<void> {
    const { tenantId, trigger } = of
    const log = openRunLog(of, { system, transact, epoch })
    const patient = createPatience(system, signal, of.place?.at ?? of.startedAt ?? system.now())
    const isDeep = trigger === 'gap' || trigger === 'request'
    const look = createLook(deps, { tenantId, isDeep, log, patient })
    await runToItsEnd(of.id, { signal, log, machineLog }, () => walk({ of, log, patient, look }))
  }

  async function walk(run: Run): Promise<void> {
    const { place, from = 0, to } = run.of
    let begin = place?.from ?? from
    while (to === undefined || begin < to) {
      const end = endOf(begin, to, system.now())
      await walkWindow(run, { from: begin, to: end })
      if (end === undefined) return
      begin = end
    }
  }

  /** Page by page, by start: what begins before the last of a page has been seen then, and is compared and let go. */
  async function walkWindow(run: Run, window: Range): Promise<void> {
    const { tenantId } = run.of
    let { from } = window
    let listing: Listing = { range: window, place: undefined }
    let seen: EventFact[] = []
    const asOf = system.now()
    for (let pages = 1; pages <= mostPages; pages++) {
      const { page, range } = await readPage(run, listing, from)
      const events = page.events.filter((event) => event !== undefined)
      await reportUnreadable(run, page.events.length - events.length)
      await lookAtAll(run, events, asOf)

      seen.push(...events)
      const upTo = page.next ? Math.max(from, events.at(-1)?.startTime ?? from) : window.to
      await lookBeside(run, { from, to: upTo }, { events: seen.map(({ uri }) => uri), asOf, tenantId })
      if (upTo === undefined) return
      seen = seen.filter(({ startTime }) => startTime >= upTo)
      from = upTo
      await run.log.reach(from)
      if (!page.next) return
      listing = { range, place: page.next }
    }
    throw new AppError('calendly_rejected', 'The pages of Calendly do not end.')
  }

  type Listing = { range: Range; place: P | undefined }

  /** A place that Calendly does not know any more, after a long wait, is done without: the list is begun anew. */
  async function readPage(
    { log, patient }: Run,
    { range, place }: Listing,
    from: number
  ): Promise<{ page: EventPage<P>; range: Range }> {
    const read = async (range: Range, place?: P) => {
      const page = await patient(() => calendly.pageOfEvents(range, place))
      log.count('calls')
      return { page, range }
    }
    if (!place) return read(range)
    return read(range, place).catch((error) => {
      if (!(error instanceof AppError) || error.code !== 'calendly_rejected') throw error
      return read({ ...range, from })
    })
  }

  async function reportUnreadable({ log }: Run, many: number): Promise<void> {
    const detail = 'What Calendly says of an event cannot be read.'
    for (let n = 0; n < many; n++) await log.report({ kind: 'unreadable', detail, repaired: false })
  }

  /** Oldest first, since what was moved is older than what it was moved to. */
  async function lookAtAll({ of, look }: Run, events: readonly EventFact[], askedAt: number): Promise<void> {
    if (events.length === 0) return
    const seats = await reads.seatsOf(
      of.tenantId,
      events.map(({ uri }) => uri)
    )
    const byEvent = Map.groupBy(seats, ({ event }) => event)
    const byAge = events.toSorted((one, other) => (one.createdAt ?? 0) - (other.createdAt ?? 0))
    for (const event of byAge) await look(event, byEvent.get(event.uri) ?? [], askedAt)
  }

  /** What we have confirmed and Calendly did not list. */
  async function lookBeside(
    run: Run,
    range: Range,
    { tenantId, ...but }: { tenantId: string; events: readonly string[]; asOf: number }
  ): Promise<void> {
    let after = ''
    for (;;) {
      const bookings = await reads.confirmedBeside(tenantId, range, { ...but, after })
      for (const { id, event } of bookings) await lookAtBooking(run, id, event)
      const last = bookings.at(-1)
      if (!last) return
      after = last.id
    }
  }

  async function lookAtBooking({ of, log, patient, look }: Run, id: string, uri: string): Promise<void> {
    const askedAt = system.now()
    const event = await patient(() => calendly.lookAtEvent(uri))
    log.count('calls')
    if (event) return look(event, await reads.seatsOf(of.tenantId, [uri]), askedAt)
    await log.report({
      kind: 'unknown_at_calendly',
      bookingId: id,
      calendlyEvent: uri,
      detail: 'It is confirmed here, and Calendly does not show it.',
      repaired: false
    })
  }
}

/** Of the window that begins at `from`; what begins in the future is one, to its end. */
function endOf(from: number, to: number | undefined, now: number): number | undefined {
  const end = from + windowMs
  if (to === undefined) return from >= now ? undefined : end
  return Math.min(to, end)
}
