import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import t from 'tap'
import { realSystem } from '../../src/core/system.ts'
import { openSender } from '../../src/delivery/send.ts'
import { anywhere, createTargets, publicOnly } from '../../src/delivery/target.ts'
import { openConsumer } from '../support/consumer.ts'

const names: Record<string, string[]> = {
  'public.example': ['93.184.216.34', '2606:2800:220:1::1'],
  'inside.example': ['10.0.0.5'],
  'mixed.example': ['93.184.216.34', '169.254.169.254'],
  'mapped.example': ['::ffff:10.0.0.5'],
  'zoned.example': ['fe80::1%eth0'],
  'nonsense.example': ['not an address']
}
const lookup = async (host: string) => names[host] ?? []
const outside = createTargets({ policy: publicOnly, lookup })
const judge = (url: string) => outside.judge(url)

t.test('an address that is not public is refused in whatever form it is written', async (t) => {
  const hosts = [
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '127。0。0。1',
    '0',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.0.1',
    '100.64.0.1',
    '169.254.169.254',
    '168.63.129.16',
    '0xa9fea9fe',
    '192.0.0.192',
    '192.88.99.1',
    '198.18.0.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '[::]',
    '[::1]',
    '[::127.0.0.1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::1]',
    '[2002:7f00:1::]',
    '[2001::1]',
    '[2001:db8::1]',
    '[fe80::1]',
    '[fec0::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
    '[100::1]',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'ⓛocalhost',
    'a.localhost',
    'inside.example',
    'mixed.example',
    'mapped.example',
    'zoned.example',
    'nonsense.example'
  ]
  for (const host of hosts) {
    for (const port of ['', ':8443']) {
      t.match(await judge(`https://${host}${port}/`), { kind: 'refused', reason: /not public/ }, host + port)
    }
  }
})

t.test('what is no URL, not https, or carries credentials or a fragment is refused', async (t) => {
  const urls = [
    '',
    'example.com',
    '//example.com',
    'https://',
    'https://[fe80::1%25eth0]/',
    'https://256.1.1.1/',
    'http://public.example/',
    'ftp://public.example/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'unix:/var/run/docker.sock',
    'https://user@public.example/',
    'https://:password@public.example/',
    'https://public.example@inside.example/',
    'https://public.example/#here',
    'https://public.example/#'
  ]
  for (const url of urls) t.match(await judge(url), { kind: 'refused', reason: String }, url)
})

t.test('public names and addresses are open, a name without an address is not judged yet', async (t) => {
  const open = [
    'https://public.example/',
    'https://PUBLIC.example:8443/a?b=c',
    'https://93.184.216.34/',
    'https://[2606:2800:220:1::1]/',
    'https://[::ffff:93.184.216.34]/'
  ]
  for (const url of open) t.match(await judge(url), { kind: 'open' }, url)
  t.match(await judge('https://nowhere.example/'), { kind: 'unresolved', url: { host: 'nowhere.example' } })
})

t.test('a name server that does not answer holds up nobody', async (t) => {
  const silent = createTargets({ policy: publicOnly, lookup: () => new Promise(() => {}) })
  const patience = new AbortController()
  const judged = silent.judge('https://slow.example/', patience.signal)
  patience.abort()
  t.match(await judged, { kind: 'unresolved' })
})

t.test('in development a consumer on the same machine will do', async (t) => {
  const { judge } = createTargets({ policy: anywhere, lookup })
  for (const url of [
    'http://localhost:3000/',
    'http://127.0.0.1/',
    'https://[::1]/',
    'http://inside.example/'
  ])
    t.match(await judge(url), { kind: 'open' }, url)
  t.match(await judge('http://user:password@localhost/'), { kind: 'refused' })
})

/** Two consumers on one port; only the first is allowed. */
async function openPair(t: Parameters<typeof openConsumer>[0]) {
  const allowed = await openConsumer(t)
  const forbidden = await openConsumer(t, undefined, { host: '127.0.0.2', port: allowed.port })
  const policy = { ...anywhere, allows: (address: string) => address === '127.0.0.1' }
  const senderWith = (lookup: () => Promise<string[]>) => {
    const sender = openSender({
      system: realSystem,
      userAgent: 'test',
      targets: createTargets({ policy, lookup }),
      totalMs: 5_000
    })
    t.teardown(sender.close)
    return sender.send
  }
  return { url: `http://shop.example:${allowed.port}/`, allowed, forbidden, senderWith }
}

const event = { id: 'evt_1', body: Buffer.from('{}') }

t.test(
  'the connection goes to the address that was judged, whatever the name leads to a moment later',
  async (t) => {
    const { url, allowed, forbidden, senderWith } = await openPair(t)
    let lookups = 0
    const send = senderWith(async () => [lookups++ === 0 ? '127.0.0.1' : '127.0.0.2'])
    t.match(await send({ url }, [], event), { kind: 'delivered' })
    t.equal(lookups, 1)
    t.equal(allowed.posts[0]?.headers.host, `shop.example:${allowed.port}`, 'the name stays')

    t.match(
      await send({ url }, [], event),
      { kind: 'failed', error: /not public/ },
      'and is judged each time'
    )
    t.equal(forbidden.connections(), 0)
  }
)

t.test('where one address does not answer, the next one is tried', async (t) => {
  const { port, posts } = await openConsumer(t)
  const sender = openSender({
    system: realSystem,
    userAgent: 'test',
    targets: createTargets({ policy: anywhere, lookup: async () => ['127.0.0.3', '::1', '127.0.0.1'] })
  })
  t.teardown(sender.close)
  t.match(await sender.send({ url: `http://shop.example:${port}/` }, [], event), { kind: 'delivered' })
  t.equal(posts.length, 1)
})

t.test('one forbidden address among many is enough', async (t) => {
  const { url, allowed, forbidden, senderWith } = await openPair(t)
  for (const answer of [
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.2', '127.0.0.1']
  ]) {
    t.match(await senderWith(async () => answer)({ url }, [], event), { kind: 'failed', error: /not public/ })
  }
  t.same([allowed.connections(), forbidden.connections()], [0, 0])
})

t.test('TLS is asked for in the name of the URL', async (t) => {
  const asked: string[] = []
  const server = createServer({
    SNICallback: (name, done) => {
      asked.push(name)
      done(new Error('no certificate'))
    }
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => void server.close())
  const { senderWith } = await openPair(t)
  const url = `https://shop.example:${(server.address() as AddressInfo).port}/`
  t.match(await senderWith(async () => ['127.0.0.1'])({ url }, [], event), { kind: 'failed' })
  t.same(asked, ['shop.example'])
})
