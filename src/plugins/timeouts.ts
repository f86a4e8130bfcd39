import type { FastifyServerOptions } from 'fastify'
import { AppError } from '../core/errors.ts'
import type { System } from '../core/system.ts'
import { bodyOf } from './problems.ts'

/**
 * How long a client may take. Node checks every connection at `connectionsCheckingInterval`, so a slow
 * body ends there even though Fastify waits for it.
 */
export const timeouts = {
  requestTimeout: 15_000,
  keepAliveTimeout: 72_000,
  http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000 }
}

/** What is no HTTP, or came too slowly, is answered with a problem too, and the connection closed. */
export function clientErrors({
  id
}: Pick<System, 'id'>): NonNullable<FastifyServerOptions['clientErrorHandler']> {
  return (error, socket) => {
    if (!socket.writable) return socket.destroy()
    const [status, phrase] =
      error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout']
        : error.code === 'HPE_HEADER_OVERFLOW'
          ? [431, 'Request Header Fields Too Large']
          : [400, 'Bad Request']
    // No code of ours has the statuses of the other two: their phrase says it all (RFC 9457, 4.2.1).
    const requestId = id()
    const body = JSON.stringify(
      status === 400
        ? bodyOf(new AppError('validation_failed', phrase), requestId)
        : { type: 'about:blank', title: phrase, status, instance: `urn:request:${requestId}` }
    )
    socket.end(
      `HTTP/1.1 ${status} ${phrase}\r\nContent-Type: application/problem+json\r\n` +
        `X-Request-Id: ${requestId}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
    )
  }
}
