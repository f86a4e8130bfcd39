import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { ExchangeError } from './errors.ts'

const maxBodyBytes = 5 * 1024 * 1024

export type Reply = { status: number; headers: IncomingHttpHeaders; body: Buffer }

/** `headersMs` counts from the first byte sent, `bodyMs` from the headers; `overall` ends it at any point. */
export type Limits = { headersMs: number; bodyMs: number; overall: AbortSignal }

/**
 * One request, one whole answer, or an ExchangeError that knows whether a byte of the request had left.
 * `pool.request` could not say that, and lets a request that waits for a connection outlive its signal.
 */
export function exchange(
  pool: Dispatcher,
  request: Dispatcher.DispatchOptions,
  { headersMs, bodyMs, overall }: Limits
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let sent: Dispatcher.DispatchController | undefined
    let failure: Error | undefined
    let bodyBytes = 0
    const reply: Reply = { status: 0, headers: {}, body: Buffer.alloc(0) }
    const chunks: Buffer[] = []
    const deadlines = watch(overall, (reason) => fail(reason))

    function fail(cause: Error) {
      if (failure) return
      failure = cause
      deadlines.end()
      reject(new ExchangeError(cause.message, { cause, wasSent: sent !== undefined }))
      sent?.abort(cause)
    }

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        // It gave up while it waited for a connection; aborting here keeps it from being written.
        if (failure) return controller.abort(failure)
        sent = controller
        deadlines.begin(headersMs)
      },
      onResponseStart(_, status, headers) {
        if (status < 200) return
        reply.status = status
        reply.headers = headers
        deadlines.begin(bodyMs)
      },
      onResponseData(_, chunk) {
        bodyBytes += chunk.length
        if (bodyBytes > maxBodyBytes) fail(new Error('The answer is larger than 5 MB'))
        else chunks.push(chunk)
      },
      onResponseEnd() {
        deadlines.end()
        resolve({ ...reply, body: Buffer.concat(chunks) })
      },
      onResponseError(_, error) {
        fail(error)
      }
    }
    if (overall.aborted) fail(overall.reason)
    else pool.dispatch(request, handler)
  })
}

/** A deadline for the phase at hand beside the one for the whole. */
function watch(overall: AbortSignal, expire: (reason: Error) => void) {
  let phase: AbortSignal | undefined
  const onAbort = ({ target }: Event) => {
    if (target instanceof AbortSignal) expire(target.reason)
  }
  const leave = () => phase?.removeEventListener('abort', onAbort)
  overall.addEventListener('abort', onAbort)
  return {
    begin(ms: number) {
      leave()
      phase = AbortSignal.timeout(ms)
      phase.addEventListener('abort', onAbort)
    },
    end() {
      leave()
      overall.removeEventListener('abort', onAbort)
    }
  }
}
