import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readSecret, tableOf } from './terminal.ts'

const usage = `Calendly keys of a running service.

  npm run keys -- list             every key, in the order in which they are asked
  npm run keys -- add <name>       add one; its token is read from standard input
  npm run keys -- verify <name>    ask Calendly whether it accepts the key
  npm run keys -- promote <name>   ask it first; the one before it retires
  npm run keys -- retire <name>    use it last, for 24 hours, then revoke it
  npm run keys -- revoke <name>    never use it again

  --url <address>   of the service; http://127.0.0.1:$PORT unless told otherwise
  --json            what the service answered, as it is

The caller key is GATEWAY_KEY or ADMIN_API_KEY, else the one kept under DATA_DIR.`

/** Longer than the service takes to hear from Calendly. */
const deadlineMs = 30_000

type Key = {
  name: string
  state: string
  health: string
  priority: number
  last_four: string
  age_days: number
  usage_count: number
  usage_limit: number
  last_used_at: string | null
  retires_at: string | null
  quota: { limit: number | null; remaining: number | null } | null
}

/** What to ask the service for; with `takesToken` it has a body. */
type Command = { method: string; path: (name: string) => string; takesToken?: true }

const commands: Readonly<Record<string, Command>> = {
  list: { method: 'GET', path: () => '' },
  add: { method: 'POST', path: () => '', takesToken: true },
  verify: { method: 'POST', path: (name) => `/${name}/verify` },
  promote: { method: 'POST', path: (name) => `/${name}/promote` },
  retire: { method: 'POST', path: (name) => `/${name}/retire` },
  revoke: { method: 'DELETE', path: (name) => `/${name}` }
}

process.exitCode = await run()

async function run(): Promise<number> {
  if (process.argv.includes('--help')) {
    console.log(usage)
    return 0
  }
  const asked = parse()
  if (typeof asked === 'string') {
    console.error(`${asked}\n\n${usage}`)
    return 2
  }
  const key = callerKey()
  if (key === undefined)
    return complain('There is no caller key: set GATEWAY_KEY to one with the scope keys:write.')
  const { command, name = '', url, isJson } = asked
  const token = command.takesToken && (await readSecret(`Token of ${name}: `))
  if (token === '') return complain('There was no token on standard input.')

  try {
    const answer = await fetch(`${url}/api/v1/calendly/keys${command.path(encodeURIComponent(name))}`, {
      method: command.method,
      headers: { authorization: `Bearer ${key}`, ...(token && { 'content-type': 'application/json' }) },
      ...(token && { body: JSON.stringify({ name, token }) }),
      redirect: 'error',
      signal: AbortSignal.timeout(deadlineMs)
    })
    const body = await answer.text()
    if (isJson) console.log(body)
    else if (answer.status === 204) console.log(`${name} is revoked.`)
    else if (answer.ok) console.log(describe(JSON.parse(body)))
    else console.error(describeProblem(JSON.parse(body)))
    return answer.ok && !(asked.action === 'verify' && isInvalid(body)) ? 0 : 1
  } catch (error) {
    if (error instanceof SyntaxError) return complain(`What answers at ${url} is not the service.`)
    return complain(`There is no answer from ${url}.`)
  }
}

/** What was asked for, or what is wrong with it. */
function parse() {
  try {
    const options = { url: { type: 'string' }, json: { type: 'boolean' } } as const
    const { values, positionals } = parseArgs({ allowPositionals: true, options })
    const [action, name, ...rest] = positionals
    const url = (values.url ?? `http://127.0.0.1:${process.env.PORT || 3000}`).replace(/\/+$/, '')
    if (action === undefined) return 'Say what to do.'
    const command = Object.hasOwn(commands, action) ? commands[action] : undefined
    if (!command) return `There is no command ${action}.`
    if (!URL.canParse(url)) return `${url} is not an address.`
    if (action === 'list' ? name !== undefined : name === undefined || rest.length > 0) {
      return action === 'list' ? 'list takes no name.' : `${action} takes the name of one key.`
    }
    return { action, command, name, url, isJson: values.json === true }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function isInvalid(body: string): boolean {
  return (JSON.parse(body) as Key).health === 'invalid'
}

function callerKey(): string | undefined {
  const { ADMIN_API_KEY, GATEWAY_KEY, DATA_DIR } = process.env
  if (GATEWAY_KEY || ADMIN_API_KEY) return GATEWAY_KEY || ADMIN_API_KEY
  try {
    return readFileSync(join(DATA_DIR || './data', 'admin.key'), 'utf8').trim()
  } catch {
    return undefined
  }
}

function complain(text: string): 1 {
  console.error(text)
  return 1
}

function describeProblem({ title, detail }: { title: string; detail?: string }): string {
  return detail === undefined || detail === title ? title : `${title}\n${detail}`
}

function describe(answer: Key | { data: Key[] }): string {
  const keys = 'data' in answer ? answer.data : [answer]
  if (keys.length === 0) return 'There are no keys.'
  const headings = ['', 'NAME', 'STATE', 'HEALTH', 'TOKEN', 'AGE', 'CALLS', 'LAST USED', 'QUOTA LEFT']
  const rows = keys.map((key) => [
    String(key.priority),
    key.name,
    key.retires_at === null ? key.state : `${key.state} until ${key.retires_at.slice(0, 16)}Z`,
    key.health,
    `…${key.last_four}`,
    `${key.age_days} d`,
    `${key.usage_count} of ${key.usage_limit}`,
    key.last_used_at ?? 'never',
    key.quota?.remaining == null ? '' : `${key.quota.remaining} of ${key.quota.limit}`
  ])
  return tableOf(headings, rows)
}
