import type { Delivery } from '../core/deliveries.ts'
import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'

const mostRows = 200
const mostBytes = 4 * 1024 * 1024
/** Two of them are less than Calendly waits for an answer. */
const patienceMs = 7_000
const lookMs = 250
const mostWaiting = 5_000
const mostWaitingBytes = 64 * 1024 * 1024
/** With that many on their way there is a rush. */
const rush = 24

type Options = {
  /** One statement. The ids of those that were not there before; durable once resolved. */
  store: (deliveries: readonly Delivery[]) => Promise<ReadonlySet<string>>
  /** How many at once. */
  statements: number
  system: Pick<System, 'now' | 'sleep'>
}

type Batch = { rows: readonly Waiting[]; startedAt: number; isOverdue: boolean }

type Waiting = { delivery: Delivery; resolve: (isNew: boolean) => void; reject: (error: unknown) => void }

/**
 * Inserts of concurrent requests in as few statements as can be: what arrives while they run goes into the next one.
 * `insert` resolves after the commit of its own row, with false when the same bytes are there already. It rejects
 * for what its own row is at fault of, and with `database_unavailable`: nobody waits for longer than 14 s.
 */
export function createGatheredInserts({ store, statements, system }: Options) {
  const waiting: Waiting[] = []
  let waitingBytes = 0
  const running = new Set<Batch>()
  let rowsRunning = 0
  let isTurnAwaited = false
  let isWatched = false

  /** Not at once: what has arrived in the same turn of the event loop goes along. */
  function startSoon(): void {
    if (isTurnAwaited || running.size === statements) return
    isTurnAwaited = true
    setImmediate(() => {
      isTurnAwaited = false
      while (running.size < statements && waiting.length > 0) void run(takeRows())
    })
  }

  function takeRows(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { delivery } of waiting) {
      bytes += delivery.body.length
      if (count === mostRows || (count > 0 && bytes > mostBytes)) break
      count++
    }
    const rows = waiting.splice(0, count)
    for (const { delivery } of rows) waitingBytes -= delivery.body.length
    return rows
  }

  async function run(rows: readonly Waiting[]): Promise<void> {
    const batch = { rows, startedAt: system.now(), isOverdue: false }
    running.add(batch)
    rowsRunning += rows.length
    if (!isWatched) void watch()
    await storeTogether(rows)
    running.delete(batch)
    rowsRunning -= rows.length
    startSoon()
  }

  /** One look at all now and then, since a timer for each would cost more than the rest of a statement does. */
  async function watch(): Promise<void> {
    isWatched = true
    while (running.size > 0) {
      await system.sleep(lookMs)
      for (const batch of running) {
        if (!batch.isOverdue && system.now() - batch.startedAt >= patienceMs) giveUp(batch)
      }
    }
    isWatched = false
  }

  /** The statement may end after all; then Calendly's next attempt is a copy. */
  function giveUp(batch: Batch): void {
    batch.isOverdue = true
    rejectAll(batch.rows, tooSlow())
    if (!isHanging()) return
    rejectAll(waiting.splice(0), tooSlow())
    waitingBytes = 0
  }

  const isHanging = () => running.size === statements && [...running].every(({ isOverdue }) => isOverdue)

  async function storeTogether(batch: readonly Waiting[]): Promise<void> {
    try {
      const fresh = await store(batch.map(({ delivery }) => delivery))
      for (const { delivery, resolve } of batch) resolve(fresh.has(delivery.id))
    } catch (error) {
      if (batch.length === 1 || isAway(error)) rejectAll(batch, error)
      else await storeSingly(batch)
    }
  }

  /** One of them is at fault, and only that one is to fail. */
  async function storeSingly(batch: readonly Waiting[]): Promise<void> {
    for (const [index, { delivery, resolve, reject }] of batch.entries()) {
      try {
        resolve((await store([delivery])).has(delivery.id))
      } catch (error) {
        if (isAway(error)) return rejectAll(batch.slice(index), error)
        reject(error)
      }
    }
  }

  return {
    /** Whether so many are being stored that what can wait should. */
    isRushed: () => waiting.length + rowsRunning >= rush,

    async insert(delivery: Delivery): Promise<boolean> {
      if (isHanging()) throw tooSlow()
      if (waiting.length >= mostWaiting || waitingBytes >= mostWaitingBytes) {
        throw unavailable('Too many deliveries wait to be stored')
      }
      return new Promise((resolve, reject) => {
        waiting.push({ delivery, resolve, reject })
        waitingBytes += delivery.body.length
        startSoon()
      })
    }
  }
}

function rejectAll(batch: readonly Waiting[], error: unknown): void {
  for (const { reject } of batch) reject(error)
}

const unavailable = (detail: string) => new AppError('database_unavailable', detail, { retryAfterMs: 1_000 })
const tooSlow = () => unavailable('The database takes too long to store deliveries')
const isAway = (error: unknown) => error instanceof AppError && error.code === 'database_unavailable'
