import { z } from 'zod'

/** What goes wrong inside Stripe: nothing was done but the failure is kept under the key, or it takes long. */
export const mishapSchema = z.strictObject({
  kind: z.enum(['saved_500', 'slow']),
  times: z.int().min(1).optional(),
  probability: z.number().min(0).max(1).default(1),
  delay_ms: z.int().min(0).max(60_000).default(1000)
})
type Mishap = z.output<typeof mishapSchema>

export function createMishaps(random: () => number) {
  let installed: { mishap: Mishap; hits: number }[] = []

  return {
    add: (mishap: Mishap) => void installed.push({ mishap, hits: 0 }),

    meet(): Mishap | undefined {
      const found = installed.find(
        ({ mishap, hits }) =>
          hits < (mishap.times ?? Number.POSITIVE_INFINITY) && random() < mishap.probability
      )
      if (found) found.hits += 1
      return found?.mishap
    },

    clear() {
      installed = []
    }
  }
}

export type Mishaps = ReturnType<typeof createMishaps>
