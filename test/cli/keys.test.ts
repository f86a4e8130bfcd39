import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { adminKey, openService } from '../support/service.ts'
import { directory } from '../support/started.ts'

const program = join(import.meta.dirname, '../../src/cli/keys.ts')
const { tokens } = standard

/** The program as it runs from a terminal's pipe, in a folder and an environment of its own. */
async function run(args: string[], env: Record<string, string>, input = '') {
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env.PATH, DATA_DIR: '/nowhere', ...env }
  })
  child.stdin.end(input)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit')
  ])
  return { code, stdout, stderr }
}

const namesIn = ({ data }: { data: { name: string; state: string }[] }) =>
  data.map(({ name, state }) => `${name} ${state}`)

t.test('npm run keys', async (t) => {
  const { address, call } = await openService(t)
  await call('GET', '/api/v1/event-types')
  const dataDir = await directory(t)
  const keys = (args: string, input = '') =>
    run([...args.split(' '), '--url', address], { GATEWAY_KEY: adminKey }, input)

  t.test('rotates a key from end to end, and never says a token', async (t) => {
    const told: string[] = []
    const step = async (args: string, input = '') => {
      const { code, stdout, stderr } = await keys(args, input)
      t.equal(code, 0, args)
      told.push(stdout, stderr)
      return stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    }
    t.match(await step('list'), [
      ['NAME', 'STATE', 'HEALTH', 'TOKEN', 'AGE', 'CALLS', 'LAST USED', 'QUOTA LEFT'],
      ['1', 'primary', 'active', 'ok', '…-ada', '0 d', /^\d+ of 10000$/]
    ])
    t.match((await step('add b', `${tokens.lena}\n`))[1], ['2', 'b', 'active', 'ok', '…lena', '0 d'])
    t.match((await step('verify b'))[1], ['2', 'b', 'active', 'ok'])
    t.match((await step('promote b'))[1], ['1', 'b', 'active', 'ok'])
    t.match(await step('list'), [[], ['1', 'b', 'active'], ['2', 'primary', 'retiring']])
    t.match((await step('retire primary'))[1], ['2', 'primary', 'retiring'])
    t.same((await step('revoke primary'))[0], ['primary is revoked.'])
    t.notMatch(told.join('\n'), /sandbox-token/)
  })

  t.test('says what the service answered with --json', async (t) => {
    const { code, stdout } = await keys('list --json')
    t.equal(code, 0)
    t.same(namesIn(JSON.parse(stdout)), ['b active', 'primary revoked'])
    const refused = await keys('verify nobody --json')
    t.match(refused, { code: 1 })
    t.match(JSON.parse(refused.stdout), { status: 404, code: 'not_found' })
  })

  t.test('tells a problem by its title and detail', async (t) => {
    t.same(await keys('promote nobody'), { code: 1, stdout: '', stderr: 'No such resource\n' })
    t.same(await keys('add primary', tokens.adaSpare), {
      code: 1,
      stdout: '',
      stderr: 'The request is not valid\nname: belongs to the environment\n'
    })
    const refused = await keys('add c', 'a-token-of-nobody')
    t.match(refused, { code: 1, stdout: '', stderr: /^Calendly does not accept this key\n/ })
    t.notMatch(refused.stderr, /a-token-of-nobody/)
    t.match(await keys('add c', '\n'), { code: 1, stderr: /no token on standard input/ })
  })

  t.test('explains itself when it is not understood, and does nothing', async (t) => {
    for (const args of [
      '',
      'steal b',
      'toString b',
      'add',
      'list b',
      'promote',
      `add c ${tokens.adaSpare}`,
      `add c --token ${tokens.adaSpare}`,
      `add c --token=${tokens.adaSpare}`
    ]) {
      const { code, stdout, stderr } = await keys(args, tokens.adaSpare)
      t.equal(code, 2, args)
      t.equal(stdout, '')
      t.match(stderr, /npm run keys -- list/)
      t.notMatch(stderr, tokens.adaSpare)
    }
    t.same(namesIn((await call('GET', '/api/v1/calendly/keys')).body), ['b active', 'primary revoked'])
    t.match(await keys('promote'), { stderr: /^promote takes the name of one key\.\n/ })
    t.match(await keys('list --help'), { code: 0, stdout: /npm run keys -- list/ })
  })

  t.test('takes the caller key that is kept, and never makes one', async (t) => {
    const args = ['list', '--url', address]
    t.match(await run(args, { DATA_DIR: dataDir }), { code: 1, stderr: /no caller key/ })
    t.same(readdirSync(dataDir), [])
    writeFileSync(join(dataDir, 'admin.key'), `${adminKey}\n`)
    t.match(await run(args, { DATA_DIR: dataDir }), { code: 0, stdout: /primary/ })
    t.match(await run(args, { DATA_DIR: dataDir, GATEWAY_KEY: 'another' }), {
      code: 1,
      stderr: 'A valid caller key is required\n'
    })
    t.match(await run(args, { ADMIN_API_KEY: 'another', GATEWAY_KEY: adminKey }), { code: 0 })
  })
})

t.test('npm run keys without the service', async (t) => {
  const page = createServer((request, response) => {
    if (request.url?.startsWith('/moved')) return response.writeHead(302, { location: '/' }).end()
    return response.end('<html></html>')
  })
  await once(page.listen(0, '127.0.0.1'), 'listening')
  const { port } = page.address() as { port: number }
  const env = { GATEWAY_KEY: adminKey, PORT: String(port) }
  t.match(await run(['list'], env), { code: 1, stderr: /^What answers at http:\S+ is not the service/ })
  t.match(await run(['list', '--url', `http://127.0.0.1:${port}/moved`], env), {
    code: 1,
    stderr: /no answer/
  })
  await new Promise((resolve) => page.close(resolve))
  t.match(await run(['list'], env), { code: 1, stderr: /^There is no answer from http/ })
})
