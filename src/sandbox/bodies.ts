import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ApiError } from './errors.ts'

/** JSON, where nothing at all counts as no body, and the bracketed forms that old clients still send. */
export function readBodies(app: FastifyInstance) {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string) => {
      if (text === '') return undefined
      try {
        return JSON.parse(text)
      } catch (cause) {
        throw new ApiError(400, { message: 'The request body is not valid JSON', cause })
      }
    }
  )
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    async (_request: FastifyRequest, text: string) => readForm(new URLSearchParams(text))
  )
}

/** `events[]=a&events[]=b&invitee[email]=c` */
function readForm(form: URLSearchParams): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const name of new Set(form.keys())) {
    const [, field = name, member] = /^(\w+)\[(\w*)\]$/.exec(name) ?? []
    if (member === undefined) body[field] = form.get(name)
    else if (member === '') body[field] = form.getAll(name)
    else body[field] = { ...Object(body[field]), [member]: form.get(name) }
  }
  return body
}
