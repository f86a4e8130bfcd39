import { type LoggerOptions, stdTimeFunctions } from 'pino'

/** Values that must not be written, wherever a log line might carry them. */
const secret = ['authorization', 'token', 'key', 'secret', 'signature', 'email', 'answer', 'password']

/**
 * E-mail addresses and caller keys, wherever they turn up all the same: in what Calendly quotes or in the
 * path of a caller that put them there. Bounded, because anybody can write a long path.
 */
const stray = /[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|cgw_[\w-]{43}/gi

/** What a stray has for certain: a line without it, as nearly all are, is spared the search. */
const sign = /@|%40|cgw_/i

export function loggerOptions(level: string): LoggerOptions {
  return {
    level,
    redact: {
      paths: secret.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `headers["${name}"]`]),
      censor: '[redacted]'
    },
    hooks: { streamWrite: (line) => (sign.test(line) ? line.replace(stray, '[redacted]') : line) },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) }
  }
}
