import type { NewsTables } from '../core/events.ts'

type Events = NewsTables['events']

/** Tells of the transactions of this process that have written events. */
export function createEventWrites() {
  const listeners: (() => void)[] = []

  return {
    onWritten(listener: () => void): void {
      listeners.push(listener)
    },

    /** Runs a transaction whose events are seen through `watch`; one that is rolled back has written none. */
    async during<T>(transaction: (watch: (events: Events) => Events) => Promise<T>): Promise<T> {
      let isWritten = false
      const watch = (events: Events): Events => ({
        async add(news) {
          isWritten = true
          await events.add(news)
        }
      })
      const result = await transaction(watch)
      if (isWritten) for (const listen of listeners) listen()
      return result
    }
  }
}
