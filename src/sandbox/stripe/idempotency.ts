import { malformed, StripeError } from './errors.ts'

const dayMs = 86_400_000
const longest = 255

export type Saved = { status: number; body: string; requestId: string }
/** `owner` is the account in its mode: each has keys of its own. */
export type Asked = { owner: string; key: string; path: string; parameters: string }
type Row = { at: number; path: string; parameters: string; answer?: Saved }

/**
 * What was answered, by key, for a day of the sandbox's clock: a refusal and a 500 too.
 * https://docs.stripe.com/api/idempotent_requests
 */
export function createIdempotency(now: () => number) {
  const rows = new Map<string, Row>()
  const idOf = ({ owner, key }: Asked) => `${owner} ${key}`

  return {
    /** What was answered before; undefined where the request is to run now. */
    begin(asked: Asked): Saved | undefined {
      const { key, path, parameters } = asked
      if (key.length > longest) {
        throw malformed(`Idempotency keys can have up to ${longest} characters.`)
      }
      const row = rows.get(idOf(asked))
      if (!row || now() - row.at >= dayMs) {
        rows.set(idOf(asked), { at: now(), path, parameters })
        return undefined
      }
      if (row.path !== path)
        throw mismatch(key, `for the same endpoint they were first used for ('${row.path}')`)
      if (row.parameters !== parameters) {
        throw mismatch(key, 'with the same parameters they were first used with')
      }
      if (!row.answer) {
        const words = `There is currently another in-progress request using this Idempotent Key ('${key}').`
        throw new StripeError(409, words, { type: 'idempotency_error', code: 'idempotency_key_in_use' })
      }
      return row.answer
    },

    save(asked: Asked, answer: Saved) {
      const row = rows.get(idOf(asked))
      if (row) row.answer = answer
    },

    /** Nothing was executed: the key is as good as new. */
    forget(asked: Asked) {
      rows.delete(idOf(asked))
    },

    clear: () => rows.clear()
  }
}

export type Idempotency = ReturnType<typeof createIdempotency>

const mismatch = (key: string, how: string) =>
  new StripeError(
    400,
    `Keys for idempotent requests can only be used ${how}. Try using a key other than '${key}' if you meant to ` +
      'execute a different request.',
    { type: 'idempotency_error' }
  )
