import { type LoggerOptions, stdTimeFunctions } from 'pino'

/** Values that must not be written, wherever a log line might carry them. */
const secret = ['authorization', 'token', 'key', 'secret', 'signature', 'email', 'answer', 'password']

/** Looked for in the finished line: pino's own `redact` takes longer for its paths than all the rest of the line does. */
const member = new RegExp(`"(?:${secret.join('|')})":`)

/**
 * E-mail addresses, caller keys and Stripe's, wherever they turn up all the same: in what Calendly or Stripe quotes or
 * in the path of a caller that put them there. Bounded, because anybody can write a long path.
 */
const stray =
  /[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|cgw_[\w-]{43}|(?:[rs]k_(?:live|test)|whsec)_[\w+/=-]{8,256}/gi

/** What a stray has for certain: a line without it, as nearly all are, is spared the search. */
const sign = /@|%40|cgw_|k_live_|k_test_|whsec_/i

export function loggerOptions(level: string): LoggerOptions {
  return {
    level,
    hooks: { streamWrite: (line) => withoutStrays(member.test(line) ? withoutSecrets(line) : line) },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) }
  }
}

function withoutSecrets(line: string): string {
  const censored = (name: string, value: unknown) => (secret.includes(name) ? '[redacted]' : value)
  return `${JSON.stringify(JSON.parse(line), censored)}\n`
}

const withoutStrays = (line: string): string => (sign.test(line) ? line.replace(stray, '[redacted]') : line)
