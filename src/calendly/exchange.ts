import type { IncomingHttpHeaders } from 'node:http'
import { type Dispatcher, errors } from 'undici'
import { ExchangeError, type ExchangeFailure } from './errors.ts'
import type { StartTimeout } from './timeouts.ts'

const maxBodyBytes = 5 * 1024 * 1024

export type Reply = { status: number; headers: IncomingHttpHeaders; body: Buffer }

/** `headersMs` counts from the first byte sent, `bodyMs` from the headers; after `totalMs` it ends at any point. */
export type Limits = { headersMs: number; bodyMs: number; totalMs: number }

/**
 * One request, one whole answer, or an ExchangeError that knows whether a byte of the request had left.
 * `pool.request` could not say that, and lets a request that waits for a connection outlive its signal.
 */
export function exchange(
  { pool, startTimeout }: { pool: Dispatcher; startTimeout: StartTimeout },
  request: Dispatcher.DispatchOptions,
  { headersMs, bodyMs, totalMs }: Limits
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let sent: Dispatcher.DispatchController | undefined
    let failure: Error | undefined
    let bodyBytes = 0
    const reply: Reply = { status: 0, headers: {}, body: Buffer.alloc(0) }
    const chunks: Buffer[] = []
    const onTimeout = () =>
      fail(new DOMException('It took too long', 'TimeoutError'), sent ? 'timeout' : 'unsent')
    const cancelWhole = startTimeout(totalMs, onTimeout)
    let cancelPhase = () => {}

    function begin(phaseMs: number) {
      cancelPhase()
      cancelPhase = startTimeout(phaseMs, onTimeout)
    }

    function end() {
      cancelPhase()
      cancelWhole()
    }

    function fail(cause: Error, reason = reasonOf(cause)) {
      if (failure) return
      failure = cause
      end()
      reject(new ExchangeError(cause.message, { cause, reason, wasSent: sent !== undefined }))
      sent?.abort(cause)
    }

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        // It gave up while it waited for a connection; aborting here keeps it from being written.
        if (failure) return controller.abort(failure)
        sent = controller
        begin(headersMs)
      },
      onResponseStart(_, status, headers) {
        if (status < 200) return
        reply.status = status
        reply.headers = headers
        begin(bodyMs)
      },
      onResponseData(_, chunk) {
        bodyBytes += chunk.length
        if (bodyBytes > maxBodyBytes) fail(new Error('The answer is larger than 5 MB'), 'unreadable')
        else chunks.push(chunk)
      },
      onResponseEnd() {
        end()
        resolve({ ...reply, body: Buffer.concat(chunks) })
      },
      onResponseError(_, error) {
        fail(error)
      }
    }
    pool.dispatch(request, handler)
  })
}

function reasonOf(cause: Error): ExchangeFailure {
  if (cause.name === 'TimeoutError' || cause instanceof errors.ConnectTimeoutError) return 'timeout'
  return cause instanceof errors.HTTPParserError ? 'unreadable' : 'network'
}
