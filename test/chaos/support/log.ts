import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Replicas, replicaOf } from './service.ts'
import type { Stage } from './stage.ts'

export type LoggedEvent = { id: string; type: string; subject: string; sequence: number }

/** Reads the log while it is written, by cursor, from whichever replica answers. */
export function followLog(stage: Stage, replicas: Replicas) {
  const events: LoggedEvent[] = []
  let isOver = false
  let cursor = ''
  let turns = 0

  /** How many there were. */
  async function readPage(): Promise<number> {
    const { address } = replicaOf(replicas, turns++)
    const query = `limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
    const { status, body, text } = await stage.ask(`${address}/api/v1/events?${query}`)
    assert.equal(status, 200, text)
    events.push(...body.data)
    cursor = body.next_cursor
    return body.data.length
  }

  const follow = async () => {
    while (!isOver) {
      const found = await readPage().catch((error) => {
        if (error instanceof assert.AssertionError) throw error
        return 0
      })
      if (found === 0) await sleep(20)
    }
    while ((await readPage()) > 0) {}
  }
  const followed = follow()
  // Heard of by whoever asks for the end.
  followed.catch(() => {})

  return {
    events,
    /** Everything that it has read, once there is no more. */
    async end(): Promise<readonly LoggedEvent[]> {
      isOver = true
      await followed
      return events
    }
  }
}

/** Nothing twice, and of every subject everything in order. */
export function assertInOrder(events: readonly LoggedEvent[]): void {
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length, 'no event is twice in the log')
  const latest = new Map<string, number>()
  for (const { subject, sequence } of events) {
    assert.equal(sequence, (latest.get(subject) ?? 0) + 1, `${subject} in order, without gaps`)
    latest.set(subject, sequence)
  }
}
