import { z } from 'zod'

/** Kinds that act after the request has taken effect: its answer is lost, cut, spoiled or slow. */
export const lateKinds = [
  'drop_after',
  'reset_after',
  'truncate',
  'malformed',
  'hang_body',
  'slow_body',
  'alter'
] as const

export const faultSchema = z.strictObject({
  /**
   * All given parts must match; `*` in a path stands for any characters, a token is given by its name. `reused`
   * is whether the connection has carried a request before.
   */
  match: z
    .strictObject({ method: z.string(), path: z.string(), token: z.string(), reused: z.boolean() })
    .partial()
    .default({}),
  kind: z.enum(['latency', 'status', 'rate_limit', 'drop_before', 'reset_before', 'hang', ...lateKinds]),
  /** How often it strikes before it is spent; without it, until it is deleted. */
  times: z.int().min(1).optional(),
  probability: z.number().min(0).max(1).default(1),
  /** Of `latency` before the request runs, of `slow_body` between two bytes. */
  latency_ms: z.int().min(0).max(600_000).default(1000),
  status: z.int().min(200).max(599).default(500),
  /** A string is sent as HTML, anything else as JSON. */
  body: z.json().optional(),
  /** Of `status` and `alter`. */
  headers: z.record(z.string(), z.string()).default({}),
  /** Of `alter`: merged into the answer's JSON, object by object. */
  patch: z.record(z.string(), z.json()).default({}),
  /** Of `alter`: the answer is padded with white space up to here, before it is compressed. */
  size_bytes: z.int().min(0).max(4e9).default(0),
  gzip: z.boolean().default(false),
  /** What `rate_limit` says. */
  limit: z.int().min(0).default(500),
  reset_seconds: z.int().min(0).default(60),
  /** For `status` and `hang`: the request takes effect first. */
  processed: z.boolean().default(false)
})

export type FaultInput = z.input<typeof faultSchema>
export type Fault = z.output<typeof faultSchema>

export type Asked = { method: string; path: string; token: string | null; reused: boolean }

export type Faults = ReturnType<typeof createFaults>

export function createFaults(random: () => number) {
  let installed: { fault: Fault; id: number; hits: number }[] = []
  let ids = 0

  return {
    add(fault: Fault): number {
      installed.push({ fault, id: ++ids, hits: 0 })
      return ids
    },

    /** The fault that this request meets: the first installed one that matches, is not spent and strikes. */
    meet(asked: Asked): Fault | undefined {
      const found = installed.find(
        ({ fault, hits }) =>
          hits < (fault.times ?? Number.POSITIVE_INFINITY) &&
          matches(fault.match, asked) &&
          random() < fault.probability
      )
      if (found) found.hits += 1
      return found?.fault
    },

    list: () => installed.map(({ fault, id, hits }) => ({ id, ...fault, hits })),

    clear() {
      installed = []
    }
  }
}

function matches({ method, path, token, reused }: Fault['match'], asked: Asked): boolean {
  return (
    (method === undefined || method.toUpperCase() === asked.method) &&
    (token === undefined || token === asked.token) &&
    (reused === undefined || reused === asked.reused) &&
    (path === undefined || pattern(path).test(asked.path))
  )
}

const pattern = (path: string) =>
  new RegExp(`^${path.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`)
