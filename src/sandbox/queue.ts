import { z } from 'zod'
import type { Clock } from './clock.ts'

const longestTimerMs = 2 ** 31 - 1

/** How messages misbehave until told otherwise. */
export const modeSchema = z.strictObject({
  duplicate: z.boolean().default(false),
  delay_ms: z.int().min(0).default(0),
  reorder: z.boolean().default(false),
  withhold: z.boolean().default(false)
})
export type Mode = z.output<typeof modeSchema>

const orderly: Mode = { duplicate: false, delay_ms: 0, reorder: false, withhold: false }

export type Message = {
  state: 'withheld' | 'waiting' | 'sending' | 'delivered' | 'lost'
  /** By the sandbox's clock, epoch milliseconds. */
  dueAt: number
}

export type Queue<M extends Message> = ReturnType<typeof createQueue<M>>

/** Messages that are sent when their time has come, as disorderly as the mode says. `send` never throws. */
export function createQueue<M extends Message>(clock: Clock, send: (message: M) => Promise<void>) {
  const messages: M[] = []
  const waiting = new Set<M>()
  let mode = orderly
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  function arm() {
    clearTimeout(timer)
    if (waiting.size === 0 || isClosed) return
    const dueAt = Math.min(...Array.from(waiting, (message) => message.dueAt))
    timer = setTimeout(sendDue, Math.min(Math.max(0, dueAt - clock.now()), longestTimerMs))
  }

  function sendDue() {
    const due = [...waiting].filter(({ dueAt }) => dueAt <= clock.now())
    void sendAll(due)
    arm()
  }

  async function sendAll(batch: readonly M[]) {
    for (const message of batch) waiting.delete(message)
    if (!mode.reorder) return void (await Promise.all(batch.map(send)))
    for (const message of batch.toReversed()) await send(message)
  }

  function wait(batch: readonly M[]) {
    for (const message of batch) {
      message.state = 'waiting'
      waiting.add(message)
    }
    sendDue()
  }

  clock.onMove(sendDue)

  return {
    /** The messages of one act, in the order it made them; whoever they are for gets each twice where it is told so. */
    post(batch: readonly M[]) {
      messages.push(...batch)
      if (!mode.withhold) wait(batch)
    },

    /** Each of them as often as it is to be sent. */
    copies: <T>(recipients: readonly T[]): readonly T[] =>
      mode.duplicate ? recipients.flatMap((one) => [one, one]) : recipients,

    /** When a message of now is due. */
    dueAt: () => clock.now() + mode.delay_ms,

    again(message: M, dueAt: number) {
      message.dueAt = dueAt
      message.state = 'waiting'
      waiting.add(message)
      arm()
    },

    setMode(next: Mode) {
      mode = next
    },

    /** Lets go of what was withheld; with `reorder`, the newest first. */
    release() {
      const withheld = messages.filter(({ state }) => state === 'withheld')
      mode = { ...mode, withhold: false }
      wait(withheld)
      return withheld.length
    },

    list: (): readonly M[] => messages,

    clear() {
      waiting.clear()
      messages.length = 0
      mode = orderly
      arm()
    },

    close() {
      isClosed = true
      clearTimeout(timer)
    }
  }
}
