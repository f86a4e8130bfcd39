import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'
import { ExchangeError } from './errors.ts'

const maxBodyBytes = 5 * 1024 * 1024

export type Reply = { status: number; headers: IncomingHttpHeaders; body: string }

/**
 * One request, one whole answer within `timeoutMs`, or an ExchangeError that knows whether a byte of the request had
 * left. Neither `fetch` nor `pool.request` could say that.
 */
export function exchange(
  pool: Dispatcher,
  request: Dispatcher.DispatchOptions,
  timeoutMs: number
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let sent: Dispatcher.DispatchController | undefined
    let failure: Error | undefined
    let bodyBytes = 0
    const reply = { status: 0, headers: {} as IncomingHttpHeaders }
    const chunks: Buffer[] = []
    const late = AbortSignal.timeout(timeoutMs)
    const onLate = () => fail(new DOMException('It took too long', 'TimeoutError'))
    late.addEventListener('abort', onLate, { once: true })

    function fail(cause: Error) {
      if (failure) return
      failure = cause
      late.removeEventListener('abort', onLate)
      reject(new ExchangeError(cause.message, { cause, wasSent: sent !== undefined }))
      sent?.abort(cause)
    }

    pool.dispatch(request, {
      onRequestStart(controller) {
        // It gave up while it waited for a connection; aborting here keeps it from being written.
        if (failure) return controller.abort(failure)
        sent = controller
      },
      onResponseStart(_, status, headers) {
        if (status < 200) return
        reply.status = status
        reply.headers = headers
      },
      onResponseData(_, chunk) {
        bodyBytes += chunk.length
        if (bodyBytes > maxBodyBytes) fail(new Error('The answer is larger than 5 MB'))
        else chunks.push(chunk)
      },
      onResponseEnd() {
        late.removeEventListener('abort', onLate)
        resolve({ ...reply, body: Buffer.concat(chunks).toString() })
      },
      onResponseError(_, error) {
        fail(error)
      }
    })
  })
}
