// The smallest plan has 50 calls a minute.
const mostAtOnce = 10

type Queue = { underWay: number; waiting: (() => void)[] }

/** Lets few calls at once through for a user as long as no answer has told how many there may be. */
export function createCaution() {
  const known = new Set<string>()
  const queues = new Map<string, Queue>()

  function queueOf(user: string): Queue {
    const queue = queues.get(user) ?? { underWay: 0, waiting: [] }
    queues.set(user, queue)
    return queue
  }

  return {
    /** Resolves when a call may go, with what is to be told at its end: whether it knows now. */
    async enter(user: string): Promise<(knows: boolean) => void> {
      const queue = queueOf(user)
      while (!known.has(user) && queue.underWay >= mostAtOnce) {
        await new Promise<void>((resolve) => queue.waiting.push(resolve))
      }
      queue.underWay++
      return (knows) => {
        queue.underWay--
        if (knows) known.add(user)
        const next = known.has(user) ? queue.waiting.splice(0) : queue.waiting.splice(0, 1)
        for (const go of next) go()
      }
    }
  }
}
