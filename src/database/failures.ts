import { AppError } from '../core/errors.ts'

// SQLSTATE classes that speak of the server and not of the statement: connection (08), resources (53), system (58).
const unavailableClasses = new Set(['08', '53', '58'])
const unavailableStates = new Set([
  '25006', // read_only_sql_transaction: a standby after a failover
  '25P03', // idle_in_transaction_session_timeout
  '57014', // query_canceled, by statement_timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05' // idle_session_timeout
])
const networkCodes = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT'
])
// pg and PGlite give these no code.
const unavailableMessage =
  /^(connection terminated|timeout exceeded when trying to connect|timeout expired|query read timeout|client (has encountered a connection error|was closed)|PGlite is clos)/i

const valueMembers = ['detail', 'where', 'params']

/**
 * Turns a lost, refusing, overloaded or full database into `database_unavailable`; everything else stays
 * what it was, without the values of the row at fault, which would end in the log.
 */
export function translateFailure(error: unknown): unknown {
  if (error instanceof Error) for (const member of valueMembers) Reflect.deleteProperty(error, member)
  if (!isUnavailable(error)) return error
  return new AppError('database_unavailable', undefined, { cause: error, retryAfterMs: 1000 })
}

/** Whether a UNIQUE or PRIMARY KEY constraint, or the one named, refused a row. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (codeOf(error) !== '23505') return false
  return constraint === undefined || (error as { constraint?: unknown }).constraint === constraint
}

/** Somebody beside us was first: what was read before is not so any more. */
export class TransactionConflict extends Error {}

/**
 * Whether the transaction failed only because of the others beside it: serialization failure, deadlock, or what was
 * found out to be one.
 */
export function isTransactionConflict(error: unknown): boolean {
  if (error instanceof TransactionConflict) return true
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

function isUnavailable(error: unknown): boolean {
  const code = codeOf(error)
  if (code === undefined) return error instanceof Error && unavailableMessage.test(error.message)
  return networkCodes.has(code) || unavailableStates.has(code) || unavailableClasses.has(code.slice(0, 2))
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
