import { type DisablingTables, disableEndpoint, longestFailureMs } from './endpoint-disabling.ts'
import { type Attempt, type EventEndpoint, secretPurpose } from './event-endpoint.ts'
import { retryInMs } from './event-retries.ts'
import type { System } from './system.ts'
import type { Vault } from './vault.ts'

/** How many attempts of one replica an endpoint has to bear at once. */
const mostAtOnce = 4
/** Longer than any attempt takes: who has not told of its outcome by then has died. */
const leaseMs = 20_000
/** How long attempts in flight may take to end when the service stops. */
const finishMs = 5_000

/** Something to be told to an endpoint, taken by this process until `leaseUntil`. */
export type DueDelivery = {
  endpoint: Pick<EventEndpoint, 'tenantId' | 'id' | 'url' | 'failingSince'>
  /** Sealed; all of them sign. */
  secrets: readonly Buffer[]
  event: { id: string; body: Buffer }
  /** Before this one. */
  attempts: number
  leaseUntil: number
}

/** One that was made: `at` is when it began. */
type MadeAttempt = Attempt & { at: number }

/** What each of these writes is written only while the delivery is still ours. */
export type Outbox = {
  /** First attempts to tell an endpoint of one subject come in order. `busy`: attempts in flight by endpoint. */
  claim: (
    busy: ReadonlyMap<string, number>,
    limits: { mostAtOnce: number; leaseMs: number }
  ) => Promise<DueDelivery[]>
  succeed: (delivery: DueDelivery, attempt: MadeAttempt) => Promise<void>
  /** Without `retryInMs` it is given up. For how long the endpoint fails by now; `undefined` when nothing was written. */
  fail: (
    delivery: DueDelivery,
    attempt: MadeAttempt,
    retryInMs: number | undefined
  ) => Promise<{ failingForMs: number } | undefined>
  /** As if they had never been taken. */
  giveBack: (deliveries: readonly DueDelivery[]) => Promise<void>
}

type Deps = {
  system: Pick<System, 'now' | 'sleep' | 'random'>
  outbox: Outbox
  transact: <T>(work: (tables: DisablingTables) => Promise<T>) => Promise<T>
  vault: Pick<Vault, 'open'>
  send: (
    endpoint: Pick<EventEndpoint, 'id' | 'url'>,
    secrets: readonly string[],
    event: DueDelivery['event']
  ) => Promise<Attempt>
  /** The wait before each attempt. */
  waitsMs: readonly number[]
  log: Record<'warn' | 'error', (fields: object, phrase: string) => void>
}

/** Tells endpoints of events. Each has a queue of its own, so that a slow one delays only itself. */
export function createDispatcher({ system, outbox, transact, vault, send, waitsMs, log }: Deps) {
  const inFlight = new Map<DueDelivery, Promise<void>>()
  const outcomes = { delivered: 0, failed: 0, dead: 0 }

  return {
    /** Begins every attempt that is due and may be made now; false when there is none. `onEnd` follows each. */
    async dispatch(onEnd: () => void): Promise<boolean> {
      const due = await outbox.claim(attemptsByEndpoint(), { mostAtOnce, leaseMs })
      for (const delivery of due) {
        const end = () => {
          inFlight.delete(delivery)
          onEnd()
        }
        inFlight.set(delivery, deliver(delivery).then(end))
      }
      return due.length > 0
    },

    /** To be called when nothing is begun any more. What does not end soon is left to the next to start. */
    async finish(): Promise<void> {
      const ended = new AbortController()
      const late = system.sleep(finishMs, ended.signal).catch(() => {})
      await Promise.race([Promise.all(inFlight.values()), late]).finally(() => ended.abort())
      const unfinished = [...inFlight.keys()]
      inFlight.clear()
      if (unfinished.length > 0) await outbox.giveBack(unfinished)
    },

    /** Of this process, since it started. */
    outcomes: (): Readonly<typeof outcomes> => outcomes
  }

  function attemptsByEndpoint(): Map<string, number> {
    const attempts = new Map<string, number>()
    for (const { endpoint } of inFlight.keys())
      attempts.set(endpoint.id, (attempts.get(endpoint.id) ?? 0) + 1)
    return attempts
  }

  /** Never rejects: what could not be written is tried again when the lease has ended. */
  async function deliver(delivery: DueDelivery): Promise<void> {
    const about = { endpoint: delivery.endpoint.id, event: delivery.event.id }
    try {
      const at = system.now()
      const attempt = { at, ...(await trySend(delivery)) }
      // Given back when the service stopped.
      if (!inFlight.has(delivery)) return
      if (attempt.kind === 'delivered') await recordSuccess(delivery, attempt)
      else await recordFailure(delivery, attempt)
    } catch (error) {
      log.error({ ...about, err: error }, 'outcome of a delivery not recorded')
    }
  }

  async function trySend({ endpoint, secrets, event }: DueDelivery): Promise<Attempt> {
    let opened: string[]
    try {
      opened = secrets.map((secret) => vault.open(secret, secretPurpose(endpoint)))
    } catch (error) {
      log.error({ endpoint: endpoint.id, err: error }, 'secret of an event endpoint does not open')
      return { kind: 'failed', error: 'its secret cannot be read', durationMs: 0 }
    }
    return send(endpoint, opened, event)
  }

  async function recordSuccess(delivery: DueDelivery, attempt: MadeAttempt): Promise<void> {
    await outbox.succeed(delivery, attempt)
    outcomes.delivered++
  }

  async function recordFailure(delivery: DueDelivery, attempt: MadeAttempt): Promise<void> {
    const { endpoint, event } = delivery
    const { status, error, retryAfterMs } = attempt
    const attempts = delivery.attempts + 1
    const isGone = status === 410
    const waitMs = isGone ? undefined : retryInMs(waitsMs, { attempts, retryAfterMs }, system)
    const written = await outbox.fail(delivery, attempt, waitMs)
    if (!written) return
    const isDead = waitMs === undefined
    outcomes[isDead ? 'dead' : 'failed']++
    const about = { endpoint: endpoint.id, event: event.id, attempt: attempts, status, error }
    if (isDead) log.error(about, 'event is dead')
    else log.warn(about, 'event not delivered')
    if (isGone) await disable(endpoint, 'gone')
    else if (written.failingForMs >= longestFailureMs) await disable(endpoint, 'failing')
  }

  async function disable(endpoint: DueDelivery['endpoint'], reason: 'gone' | 'failing'): Promise<void> {
    const isDone = await transact((tables) => disableEndpoint(tables, endpoint, reason, system.now()))
    if (isDone) log.error({ endpoint: endpoint.id, reason }, 'event endpoint is disabled')
  }
}

export type Dispatcher = ReturnType<typeof createDispatcher>
