// A consumer of events: it verifies, deduplicates and puts in order. It needs Node 20 or newer and one package.
// Start it with the secret of its endpoint:
//   npm install standardwebhooks
//   EVENT_SECRET=whsec_… PORT=4000 node event-consumer.mjs
import { createServer } from 'node:http'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'

/**
 * @typedef {object} Event
 * @property {string} id
 * @property {string} type
 * @property {string} timestamp when it happened
 * @property {string} subject what it is about: a booking, a hold …
 * @property {number} sequence counts the events of its subject from 1
 * @property {'reconciliation'} [source] a comparison found out later what no webhook had told
 * @property {Record<string, unknown>} data the subject as it was then
 */

const { EVENT_SECRET = '', PORT = '4000' } = process.env
const webhook = openWebhook(EVENT_SECRET)

// Both belong in your database, written in one transaction with whatever an event changes there.
/** @type {Set<string>} */
const seen = new Set()
/** @type {Map<string, Event>} */
const latest = new Map()

/**
 * An event may come twice, and after a later one. It holds its subject as it was then, so the highest sequence is now.
 * @param {Event} event
 * @returns {'new' | 'late' | 'duplicate' | 'test'}
 */
function accept(event) {
  if (event.type === 'event_endpoint.test') return 'test'
  if (seen.has(event.id)) return 'duplicate'
  seen.add(event.id)
  const known = latest.get(event.subject)
  if (known && known.sequence > event.sequence) return 'late'
  latest.set(event.subject, event)
  return 'new'
}

/**
 * The bytes as they came: the signature is over these, not over what a parser makes of them.
 * @param {import('node:http').IncomingMessage} request
 */
async function bytesOf(request) {
  /** @type {Buffer[]} */
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > 1024 * 1024) throw new Error('The body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** @param {import('node:http').IncomingMessage} request */
async function receive(request) {
  try {
    const body = await bytesOf(request)
    const headers = /** @type {Record<string, string>} */ (request.headers)
    const event = /** @type {Event} */ (webhook.verify(body, headers))
    const outcome = accept(event)
    const { id, type, subject, sequence } = event
    process.stdout.write(`${JSON.stringify({ outcome, id, type, subject, sequence })}\n`)
    return 204
  } catch (error) {
    // What is not 2xx is sent again.
    return error instanceof WebhookVerificationError ? 401 : 500
  }
}

/** @param {string} secret */
function openWebhook(secret) {
  try {
    return new Webhook(secret)
  } catch {
    return end('EVENT_SECRET must be the secret that the answer showed when the endpoint was made: whsec_…')
  }
}

/**
 * @param {string} reason
 * @returns {never}
 */
function end(reason) {
  process.stderr.write(`${reason}\n`)
  process.exit(1)
}

// Answer soon, work later: an attempt ends after 15 seconds.
const server = createServer(async (request, response) => {
  response.writeHead(await receive(request)).end()
})
server.on('error', ({ message }) => end(message))
server.listen({ port: PORT, host: '127.0.0.1' }, () => process.stdout.write(`listening on ${PORT}\n`))
