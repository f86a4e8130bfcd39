type Options = {
  type?: string
  code?: string
  param?: string
  /** Of which charge it speaks. */
  charge?: string
  /** Found before anything was executed: no key keeps it. */
  isValidation?: boolean
}

/** An answer of Stripe's that is not a success. https://docs.stripe.com/api/errors */
export class StripeError extends Error {
  override readonly name = 'StripeError'
  readonly status: number
  readonly #options: Options

  constructor(status: number, message: string, options: Options = {}) {
    super(message)
    this.status = status
    this.#options = options
  }

  get isValidation(): boolean {
    return this.#options.isValidation ?? false
  }

  get isUndocumented(): boolean {
    return this.#options.code === 'parameter_unknown'
  }

  /** With the address of its log where the request has come far enough to have one. */
  body(requestId?: string) {
    const { type = 'invalid_request_error', code, param, charge } = this.#options
    return {
      error: {
        ...(charge !== undefined && { charge }),
        ...(code !== undefined && { code, doc_url: `https://stripe.com/docs/error-codes/${code}` }),
        message: this.message,
        ...(param !== undefined && { param }),
        ...(requestId && { request_log_url: `https://dashboard.stripe.com/logs/${requestId}` }),
        type
      }
    }
  }
}

export const missing = (what: string, id: string, param: string) =>
  new StripeError(404, `No such ${what}: '${id}'`, { code: 'resource_missing', param })

export const refused = (message: string, options: Options = {}) => new StripeError(400, message, options)

export const malformed = (message: string, options: Options = {}) =>
  new StripeError(400, message, { ...options, isValidation: true })

export const broken = (status = 500) =>
  new StripeError(status, 'An unknown error occurred', { type: 'api_error' })
