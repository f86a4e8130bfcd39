import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import t from 'tap'
import { createDnsLookup, lookUpHere } from '../../src/delivery/lookup.ts'
import type { Test } from '../support/database.ts'

const kinds = { 1: 'A', 28: 'AAAA' } as const
type Zone = Readonly<Record<string, Partial<Record<'A' | 'AAAA', string[]>>>>

const bytesOf = (address: string) =>
  address.includes(':')
    ? Buffer.from(
        address
          .split(':')
          .map((part) => part.padStart(4, '0'))
          .join(''),
        'hex'
      )
    : Buffer.from(address.split('.').map(Number))

/** A name server on loopback that knows this zone; of other names it says nothing at all. */
async function openNameServer(t: Test, zone: Zone): Promise<string> {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    let end = 12
    const labels: string[] = []
    for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) {
      labels.push(query.toString('latin1', end + 1, end + 1 + length))
      end += 1 + length
    }
    const kind = query.readUInt16BE(end + 1) as 1 | 28
    const known = zone[labels.join('.').toLowerCase()]
    if (!known) return
    const records = (known[kinds[kind]] ?? []).map((each) => {
      const data = bytesOf(each)
      const head = Buffer.from([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.length])
      return Buffer.concat([head, data])
    })
    const head = Buffer.from(query.subarray(0, 12))
    head.writeUInt16BE(0x8180, 2)
    head.writeUInt16BE(records.length, 6)
    head.writeUInt16BE(0, 10)
    socket.send(Buffer.concat([head, query.subarray(12, end + 5), ...records]), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => void socket.close())
  return `127.0.0.1:${socket.address().port}`
}

t.test('a name has all its addresses, of both kinds', async (t) => {
  const server = await openNameServer(t, {
    'both.example': { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8:0:0:0:0:0:1'] },
    'old.example': { A: ['192.0.2.3'] },
    'empty.example': {}
  })
  const lookUp = createDnsLookup([server])
  const { signal } = new AbortController()
  t.same(await lookUp('both.example', signal), ['192.0.2.1', '192.0.2.2', '2001:db8::1'])
  t.same(await lookUp('old.example', signal), ['192.0.2.3'])
  await t.rejects(lookUp('empty.example', signal))
})

t.test('a name server that says nothing is given up on as soon as it is too late', async (t) => {
  const lookUp = createDnsLookup([await openNameServer(t, {})])
  const patience = new AbortController()
  const looking = lookUp('slow.example', patience.signal)
  patience.abort()
  await t.rejects(looking)
})

t.test('the machine knows itself', async (t) => {
  const found = await lookUpHere('localhost', new AbortController().signal)
  t.ok(found.length > 0)
  for (const address of found) t.match(address, /^(127\.|::1$)/)
})
