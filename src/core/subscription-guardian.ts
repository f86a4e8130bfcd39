import { itself } from './audit.ts'
import type { WebhookSubscription } from './calendly.ts'
import { connectedTenant as tenantId } from './connection.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import type { SubscriptionReport } from './subscription.ts'
import { essentialEvents, optionalEvents } from './subscription.ts'
import { createSubscriptionBook, type Gap, type Turn } from './subscription-book.ts'
import { freeSlotOf, isOnBarePath, reportOf, type Sight, sightOf } from './subscription-sight.ts'
import type { SubscriptionReads, SubscriptionTables } from './subscription-tables.ts'
import type { System } from './system.ts'
import type { SlotReads, WebhookSlot, WebhookSlots } from './webhook-slots.ts'

type Deps = {
  system: Pick<System, 'now' | 'id'>
  transact: <T>(work: (tables: SubscriptionTables) => Promise<T>) => Promise<T>
  reads: Pick<SubscriptionReads, 'find'>
  /** Where Calendly reaches the webhook route. */
  callbackUrl: string
  /** Of the environment, for the bare path. */
  signingKey: string
  slots: Pick<WebhookSlots, 'make' | 'keyOf'> & Pick<SlotReads, 'listLive'>
  calendly: {
    /** In the widest scope that is allowed, or in every scope. */
    listSubscriptions: (inEveryScope: boolean) => Promise<readonly WebhookSubscription[]>
    /** Without those of the optional events that Calendly refuses. `exists`: that URL has one. */
    createSubscription: (wanted: {
      url: string
      events: readonly string[]
      optionalEvents: readonly (readonly string[])[]
      signingKey: string
    }) => Promise<{ kind: 'created'; subscription: WebhookSubscription } | { kind: 'exists' }>
    deleteSubscription: (uri: string) => Promise<void>
  }
  log: Record<'info' | 'warn', (fields: object, phrase: string) => void>
}

/** Where a subscription is to be: the bare path, a slot that is kept, or one still to be written down. */
type Place = { slot: string | undefined; made?: WebhookSlot }

type Rotation = { execution: Execution; actor: string }

/**
 * Keeps one active webhook subscription on our addresses, and never less than one that works: the new one is made and
 * seen before the old one goes. What it has in mind is written down first, so that whoever comes after a crash goes on.
 */
export function createGuardian(deps: Deps) {
  const { system, reads, callbackUrl, slots, calendly, log } = deps
  const book = createSubscriptionBook(deps)

  /** Looks into every scope only where the usual one does not have what is wanted. */
  async function look(isWanted: (sight: Sight) => boolean): Promise<Sight> {
    const live = await slots.listLive(tenantId)
    const usual = sightOf(await calendly.listSubscriptions(false), live, callbackUrl)
    if (isWanted(usual)) return usual
    return sightOf(await calendly.listSubscriptions(true), live, callbackUrl)
  }

  const report = (sight: Sight, missedSince?: number) =>
    reportOf(sight.keeper ?? sight.newest, sight.slots, { callbackUrl, missedSince, checkedAt: system.now() })

  /** Throws what kept it from being made; one whose making was not answered is found by looking. */
  async function make(place: Place, isWanted: (sight: Sight) => boolean): Promise<Sight | undefined> {
    const { slot } = place
    const url = slot === undefined ? callbackUrl : `${callbackUrl}/${slot}`
    const signingKey = slot === undefined ? deps.signingKey : await slots.keyOf(slot)
    const outcome = await calendly
      .createSubscription({ url, events: essentialEvents, optionalEvents, signingKey })
      .catch((error: unknown) => ({ kind: 'failed' as const, error }))
    const sight = await look(isWanted).catch((error: unknown) => {
      throw outcome.kind === 'failed' ? outcome.error : error
    })
    if (isWanted(sight)) {
      log.info({ callback_url: url }, 'webhook subscription made')
      return sight
    }
    if (outcome.kind === 'failed') throw outcome.error
    if (outcome.kind === 'exists') return undefined
    throw new AppError('calendly_unavailable', 'The new webhook subscription is not to be seen yet')
  }

  async function replace(
    turn: Turn,
    sight: Sight,
    before: SubscriptionReport | undefined,
    rotation?: Rotation
  ): Promise<SubscriptionReport> {
    const missedSince = sight.keeper ? undefined : missedSinceOf(sight, before)
    const seen = report(sight, missedSince)
    let place = rotation ? placeToRotate(sight, rotation.execution) : placeToRestore(sight)
    await book.begin(turn, { before, seen, made: place.made, execution: rotation?.execution })
    const isWanted = ({ keeper }: Sight) => keeper !== undefined && (!rotation || keeper.slot === place.slot)
    let after = await make(place, isWanted)
    if (!after) {
      log.warn({ callback_url: callbackUrl }, 'webhook subscription exists where we cannot see it')
      place = newPlace()
      await book.begin(turn, { before: seen, seen, made: place.made, execution: rotation?.execution })
      after = await make(place, isWanted)
    }
    if (!after) throw new AppError('calendly_unavailable', 'Calendly makes no webhook subscription')
    return settle(turn, after, seen, gapLeftBy(seen, sight.keeper !== undefined))
  }

  function newPlace(): Place {
    const made = slots.make(tenantId)
    return { slot: made.slot, made }
  }

  /** Goes on with the slot of a run that was cut short, as long as it is live. */
  function placeToRotate(sight: Sight, { subject }: Execution): Place {
    return sight.slots.some(({ slot }) => slot === subject) ? { slot: subject } : newPlace()
  }

  /** On the same path while Calendly has nothing there; else on a new one, since two on one path are refused. */
  function placeToRestore(sight: Sight): Place {
    const free = freeSlotOf(sight)
    if (free !== undefined) return { slot: free }
    return sight.slots.length === 0 && !sight.hooks.some(isOnBarePath) ? { slot: undefined } : newPlace()
  }

  /** Removes all of ours but the keeper, and writes down how it stands. */
  async function settle(
    turn: Turn,
    sight: Sight,
    before: SubscriptionReport | undefined,
    gap: Gap | undefined
  ): Promise<SubscriptionReport> {
    const leftover = sight.hooks.filter((hook) => hook !== sight.keeper)
    if (leftover.length > 0) await book.requireTurn(turn)
    const after = report(sight)
    try {
      for (const { uri, state } of leftover) {
        await calendly.deleteSubscription(uri)
        log.warn({ subscription: uri, state }, 'webhook subscription removed: another one is in its place')
      }
    } finally {
      await book.finish(turn, { before, after, gap })
    }
    return after
  }

  /** Of what was lost before `seen` was replaced, and what Calendly was about to repeat. */
  function gapLeftBy(seen: SubscriptionReport, wasActive: boolean): Gap | undefined {
    const { missedSince, retryStartedAt } = seen
    if (missedSince !== undefined) return { since: missedSince, isNews: true }
    if (!wasActive) return undefined
    return { since: retryStartedAt ?? system.now(), isNews: retryStartedAt !== undefined }
  }

  /** None when there has never been one: what happened before is no gap. */
  function missedSinceOf({ newest }: Sight, before: SubscriptionReport | undefined): number | undefined {
    if (before?.missedSince !== undefined) return before.missedSince
    const lastGood = before?.uri === undefined ? undefined : before.checkedAt
    if (!newest) return lastGood
    return newest.retryStartedAt ?? lastGood ?? system.now()
  }

  /** Of one that was restored or replaced by somebody else, or by a run that was cut short. */
  function gapSince(before: SubscriptionReport | undefined, { keeper }: Sight): Gap | undefined {
    if (before?.missedSince !== undefined) return { since: before.missedSince, isNews: true }
    const isOurs = before?.callbackUrl.startsWith(callbackUrl)
    if (!isOurs || before?.uri === undefined || before.uri === keeper?.uri) return undefined
    return { since: before.retryStartedAt ?? before.checkedAt, isNews: false }
  }

  return {
    /** Makes sure that one is active. Throws `calendly_unavailable` where that cannot be. */
    async check(epoch: number): Promise<SubscriptionReport> {
      const turn = { epoch, actor: itself }
      const before = await reads.find(tenantId)
      const sight = await look(({ keeper }) => keeper !== undefined)
      if (sight.keeper) return settle(turn, sight, before, gapSince(before, sight))
      return replace(turn, sight, before)
    },

    /** Puts one with a new key on a new path in the place of whatever there is. */
    async rotate(epoch: number, { execution, actor }: Rotation): Promise<SubscriptionReport> {
      const turn = { epoch, actor }
      const before = await reads.find(tenantId)
      const sight = await look(({ keeper }) => keeper !== undefined)
      const { subject } = execution
      if (subject !== undefined && sight.keeper?.slot === subject) {
        return settle(turn, sight, before, gapSince(before, sight))
      }
      return replace(turn, sight, before, { execution, actor })
    }
  }
}

export type Guardian = ReturnType<typeof createGuardian>
