import { createHmac, timingSafeEqual } from 'node:crypto'
import { AppError } from './errors.ts'

/** Characters; ours are much shorter. */
const longestCursor = 500

/**
 * Opaque page cursors: the place to go on from, bound by an HMAC to the list it belongs to.
 * `decode` throws `invalid_cursor` for anything `encode` did not make for that list, with this secret or the previous.
 */
export function createCursors(secret: Buffer, previous?: Buffer) {
  const secrets = previous ? [secret, previous] : [secret]
  const seal = (list: string, place: string, secret: Buffer) =>
    createHmac('sha256', secret).update(`cursor\n${list}\n${place}`).digest().subarray(0, 12)

  return {
    encode(list: string, place: string): string {
      return Buffer.concat([seal(list, place, secret), Buffer.from(place)]).toString('base64url')
    },
    decode(list: string, cursor: string): string {
      if (cursor.length > longestCursor) throw new AppError('invalid_cursor')
      const bytes = Buffer.from(cursor, 'base64url')
      const place = bytes.subarray(12).toString()
      // Decoding base64url forgives stray characters, so the text itself must come back.
      const isOurs =
        bytes.length > 12 &&
        bytes.toString('base64url') === cursor &&
        secrets.some((each) => timingSafeEqual(bytes.subarray(0, 12), seal(list, place, each)))
      if (!isOurs) throw new AppError('invalid_cursor')
      return place
    }
  }
}

export type Cursors = ReturnType<typeof createCursors>
