import { setTimeout as sleep } from 'node:timers/promises'

/** Calls at that rate while something happens, however long each takes, and gives back what all of them came to. */
export async function atRate<T>(
  perSecond: number,
  happening: Promise<unknown>,
  call: (turn: number) => Promise<T>
): Promise<T[]> {
  let isOver = false
  const end = happening.finally(() => {
    isOver = true
  })
  const startedAt = Date.now()
  const calls: Promise<T>[] = []
  for (let turn = 0; !isOver; turn++) {
    const called = call(turn)
    // A failure is heard of at the end, by whoever awaits all of them.
    called.catch(() => {})
    calls.push(called)
    const nextAt = startedAt + ((turn + 1) * 1_000) / perSecond
    await Promise.race([end, sleep(Math.max(0, nextAt - Date.now()))])
  }
  return Promise.all(calls)
}
