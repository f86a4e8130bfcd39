/**
 * One run at a time for each key, begun at the end of a turn of the event loop. Whoever asks until then shares it,
 * whoever asks while it is under way shares the one after it: what they get was begun after they asked.
 */
export function createSharing<T>() {
  const waiting = new Map<string, Promise<T>>()
  const underWay = new Map<string, Promise<unknown>>()

  async function runNext(key: string, run: () => Promise<T>): Promise<T> {
    await underWay.get(key)
    await new Promise((resolve) => setImmediate(resolve))
    waiting.delete(key)
    const running = run()
    const ended = running.then(
      () => {},
      () => {}
    )
    underWay.set(key, ended)
    return running.finally(() => underWay.delete(key))
  }

  return function share(key: string, run: () => Promise<T>): Promise<T> {
    const next = waiting.get(key) ?? runNext(key, run)
    waiting.set(key, next)
    return next
  }
}
