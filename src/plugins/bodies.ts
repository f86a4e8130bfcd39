import fp from 'fastify-plugin'
import { AppError } from '../core/errors.ts'

/** A body is JSON in UTF-8 (RFC 8259) and nothing else. Bytes that are no UTF-8 are refused, not replaced. */
export const bodies = fp(
  async (app) => {
    const parse = app.getDefaultJsonParser('error', 'error')
    const decoder = new TextDecoder('utf-8', { fatal: true })

    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
      let text: string
      try {
        text = decoder.decode(body as Buffer)
      } catch {
        return done(new AppError('invalid_json', 'The body is not UTF-8.'))
      }
      return parse(request, text, done)
    })
  },
  { name: 'bodies' }
)
