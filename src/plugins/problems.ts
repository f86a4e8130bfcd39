import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError, problems as catalogue, type Fault, type ProblemCode } from '../core/errors.ts'

// Fastify and its plugins speak in status codes; these are the ones with a name of their own.
const codeOfStatus: Partial<Record<number, ProblemCode>> = {
  404: 'not_found',
  413: 'body_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  503: 'overloaded'
}

/** Every error leaves this service as application/problem+json (RFC 9457), rendered here and nowhere else. */
export const problems = fp(
  async (app: FastifyInstance) => {
    const methodsOf = collectMethods(app)

    app.setNotFoundHandler((request, reply) => {
      const allowed = methodsOf(request.url.split('?')[0] ?? '')
      if (allowed.length === 0) throw new AppError('not_found', 'There is nothing at this address.')
      reply.header('allow', allowed.join(', '))
      throw new AppError('method_not_allowed', `Send ${allowed.join(' or ')}.`)
    })

    app.setErrorHandler<FastifyError | AppError>((error, request, reply) => {
      const problem = translate(error)
      if (problem.status === 503) request.log.warn(reasonOf(problem), 'request not served')
      else if (problem.status >= 500) request.log.error({ err: error }, 'request failed')
      else request.log.info({ code: problem.code }, 'request refused')
      return send(problem, request, reply)
    })
  },
  { name: 'problems' }
)

/** What Fastify refuses before it has a route: an address that cannot be decoded or is overlong. */
export function addressErrors(_error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const problem = new AppError('validation_failed', 'The address is not valid.')
  void send(problem, request, reply.header('x-request-id', request.id))
}

function send(problem: AppError, request: FastifyRequest, reply: FastifyReply) {
  const { status, retryAfterMs, faults, members } = problem
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1000)))
  // RFC 9110, 11.6.1: a 401 names the scheme it wants.
  if (problem.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer')
  return reply
    .code(status)
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send({
      ...bodyOf(problem, request.id),
      ...(status < 500 && faults.length > 0 && { errors: faults }),
      ...members
    })
}

/** What goes out for a problem; a 5xx says no more than its title. */
export function bodyOf({ code, status, message }: AppError, requestId: string) {
  const title = catalogue[code][1]
  return {
    type: `urn:problem:${code}`,
    title,
    status,
    code,
    detail: status < 500 ? message : title,
    instance: `urn:request:${requestId}`
  }
}

/** What is down is no bug of ours: a stack says nothing about it, and a flood of them hides the rest. */
function reasonOf({ code, message, cause }: AppError) {
  return { code, reason: message, ...(cause instanceof Error && { cause: cause.message }) }
}

function translate(error: FastifyError | AppError): AppError {
  if (error instanceof AppError) return error
  if (error.validation) return ofValidation(error)
  // Only what Fastify itself refused has a status to believe; anything else is a bug of ours.
  const status = error.code?.startsWith('FST_') ? (error.statusCode ?? 500) : 500
  if (error instanceof SyntaxError && error.statusCode === 400) return new AppError('invalid_json')
  if (error.code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || error.code === 'FST_ERR_CTP_INVALID_JSON_BODY') {
    return new AppError('invalid_json', error.message)
  }
  if (status >= 500 && status !== 503) return new AppError('internal', undefined, { cause: error })
  return new AppError(codeOfStatus[status] ?? 'validation_failed', error.message, { cause: error })
}

type Issue = { instancePath: string; message?: string; params: Record<string, unknown> }

function ofValidation(error: FastifyError): AppError {
  const issues = (error.validation ?? []) as Issue[]
  const faults = issues.flatMap(faultsOf)
  const named = issues.find((issue) => codeOf(issue) !== undefined)
  // Of several faults the one that has a code of its own is the one that is told.
  const [told] = named ? faultsOf(named) : faults.length === 1 ? faults : []
  const detail = told && `${told.pointer.slice(2) || error.validationContext}: ${told.detail}`
  return new AppError((named && codeOf(named)) ?? 'validation_failed', detail, { faults, cause: error })
}

function faultsOf({ instancePath, message = 'is not valid', params }: Issue): Fault[] {
  const path = instancePath === '/' ? '' : instancePath
  // Zod reports unknown members at their parent; callers want each by name.
  if (Array.isArray(params.keys) && message.startsWith('Unrecognized')) {
    return params.keys.map((key) => ({
      pointer: `#${path}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`,
      detail: 'is not known here'
    }))
  }
  return [{ pointer: `#${path}`, detail: inWords(message) }]
}

/** Zod speaks to who wrote the schema; this is for who sent the request. */
function inWords(message: string): string {
  const options = /^Invalid option: expected one of (.*)$/.exec(message)?.[1]
  if (options !== undefined) return `must be one of ${options.replaceAll('"', '').replaceAll('|', ', ')}`
  const expected = /^Invalid input: expected (\w+)/.exec(message)?.[1]
  if (expected !== undefined)
    return message.endsWith('undefined') ? 'is required' : `must be of type ${expected}`
  return message === 'Too small: expected string to have >=1 characters' ? 'must not be empty' : message
}

function codeOf({ params }: Issue): ProblemCode | undefined {
  const code = (params.params as { code?: string } | undefined)?.code
  return code !== undefined && code in catalogue ? (code as ProblemCode) : undefined
}

/** Which methods an address knows, from the routes as they are registered. */
function collectMethods(app: FastifyInstance) {
  const routes: { pattern: RegExp; methods: string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = url
      .split('/')
      .map((part) => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : literal(part)))
    routes.push({ pattern: new RegExp(`^${pattern.join('/')}/?$`), methods: [method].flat() })
  })
  return (path: string): string[] => [
    ...new Set(routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))
  ]
}

const literal = (part: string) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
