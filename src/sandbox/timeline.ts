const dayMs = 86_400_000

/** A stretch of a host's time and, around it, what its buffers keep free. */
export type Block = { start: number; end: number; bufferedStart: number; bufferedEnd: number }

/** The meeting of one may touch the buffer of the other but not the meeting; buffers may share time. */
export function collide(one: Block, other: Block): boolean {
  return (
    (one.bufferedStart < other.end && other.start < one.bufferedEnd) ||
    (one.start < other.bufferedEnd && other.bufferedStart < one.end)
  )
}

/** Blocks by UTC day, so that a question about an hour does not read a year. */
export function createTimeline<B extends Block>() {
  const days = new Map<number, Set<B>>()

  function* dayNumbers(start: number, end: number) {
    for (let day = Math.floor(start / dayMs); day * dayMs < end; day++) yield day
  }

  return {
    add(block: B) {
      for (const day of dayNumbers(block.bufferedStart, block.bufferedEnd)) {
        const blocks = days.get(day) ?? new Set()
        days.set(day, blocks.add(block))
      }
    },

    remove(block: B) {
      for (const day of dayNumbers(block.bufferedStart, block.bufferedEnd)) days.get(day)?.delete(block)
    },

    /** Blocks whose buffered time has a part in the range, by start. */
    between(start: number, end: number): B[] {
      const found = new Set<B>()
      for (const day of dayNumbers(start, end)) {
        for (const block of days.get(day) ?? []) {
          if (block.bufferedStart < end && start < block.bufferedEnd) found.add(block)
        }
      }
      return [...found].sort((one, other) => one.start - other.start)
    }
  }
}

export type Timeline<B extends Block> = ReturnType<typeof createTimeline<B>>
