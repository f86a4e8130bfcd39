import fp from 'fastify-plugin'
import { AppError } from '../core/errors.ts'
import { noBody } from '../schemas/common.ts'

/** A body is JSON in UTF-8 (RFC 8259) and nothing else. Bytes that are no UTF-8 are refused, not replaced. */
export const bodies = fp(
  async (app) => {
    const parse = app.getDefaultJsonParser('error', 'error')
    const decoder = new TextDecoder('utf-8', { fatal: true })

    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
      // Some clients name the type even where there is nothing to send.
      const isNone = body.length === 0 && request.routeOptions.schema?.body === noBody
      if (isNone) return done(null, undefined)
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
