const phrases: readonly (readonly [codes: RegExp, phrase: string])[] = [
  [/^ECONNREFUSED$/, 'connection refused'],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, 'connection lost before the answer'],
  [/^UND_ERR_CONNECT_TIMEOUT$/, 'no connection in time'],
  [/^UND_ERR_HEADERS_OVERFLOW$/, 'answer not readable as HTTP'],
  [
    /^(CERT_|ERR_TLS_|ERR_SSL_|EPROTO$|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/,
    'TLS failed or certificate not accepted'
  ]
]

/** A failure without an answer, in a phrase that shows neither addresses nor anything that was sent. */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return 'not reachable'
  if (error.name === 'TimeoutError') return 'no answer in time'
  if (error.name === 'HTTPParserError') return 'answer not readable as HTTP'
  const code = 'code' in error ? String(error.code) : ''
  return phrases.find(([codes]) => codes.test(code))?.[1] ?? 'not reachable'
}
