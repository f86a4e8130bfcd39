const statuses = {
  400: ['Invalid Argument', 'The supplied parameters are invalid.'],
  401: ['Unauthenticated', 'The access token is invalid'],
  403: ['Permission Denied', 'You do not have permission to access this resource.'],
  404: ['Resource Not Found', 'The server could not find the requested resource.'],
  409: ['Already Exists', 'The resource already exists'],
  424: ['External Calendar Error', 'There is a problem accessing your calendar.'],
  500: [
    'Internal Server Error',
    'The server encountered an unexpected condition that prevented it from fulfilling the request.'
  ],
  503: ['Service Unavailable', 'The service is temporarily unavailable.']
} as const satisfies Record<number, readonly [title: string, message: string]>

export type Status = keyof typeof statuses

export type Detail = { parameter?: string; message: string; code?: string }

type Options = {
  message?: string
  details?: readonly Detail[]
  violations?: readonly string[]
  /** Of a token that lacks them; this refusal has a title of its own. */
  requiredScopes?: readonly string[]
  cause?: unknown
}

/** An answer of Calendly's that is not a success, in Calendly's words. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: Status
  readonly details: readonly Detail[] | undefined
  /** What the client did that Calendly documents nowhere; goes into the request log. */
  readonly violations: readonly string[]
  readonly requiredScopes: readonly string[] | undefined

  constructor(status: Status, { message, details, violations = [], requiredScopes, cause }: Options = {}) {
    super(message ?? statuses[status][1], { cause })
    this.status = status
    this.details = details
    this.violations = violations
    this.requiredScopes = requiredScopes
  }

  get body() {
    return {
      title: this.requiredScopes ? 'Insufficient scope' : statuses[this.status][0],
      message: this.message,
      ...(this.details && { details: this.details }),
      ...(this.requiredScopes && { required_scopes: this.requiredScopes })
    }
  }
}

export const isKnownStatus = (status: number): status is Status => status in statuses

export const notFound = () => new ApiError(404)

export const denied = (message?: string) => new ApiError(403, message === undefined ? {} : { message })

export const invalid = (...details: Detail[]) => new ApiError(400, { details })
