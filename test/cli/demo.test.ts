import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { engines, testDatabase } from '../support/database.ts'

const program = join(import.meta.dirname, '../../src/cli/demo.ts')

for (const engine of engines) {
  t.test(
    `the demo holds from beginning to end, money included, and ends by itself (${engine})`,
    async (t) => {
      const { url } = await testDatabase(t, engine)
      const child = spawn(process.execPath, [program, '--once'], {
        env: { PATH: process.env.PATH, ...(url !== undefined && { DATABASE_URL: url }) },
        stdio: ['ignore', 'pipe', 'pipe']
      })
      const [said, complaints, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close')
      ])
      if (code !== 0) t.comment(said)
      t.equal(code, 0)
      t.equal(complaints, '')
      t.notMatch(said, /FAILED/)
      const [, held, steps] = /(\d+) of (\d+) steps held/.exec(said) ?? []
      t.equal(held, steps)
      for (const phrase of [
        `database ${engine}`,
        '$50.00 back, 100 % by notice_24h',
        '$25.00 back, 50 % by notice_12h',
        '0 refunds',
        'imported as rfd_',
        '422 refund_exceeds_charge',
        'Paula $50.00 of $50.00, at Stripe $50.00; Pedro $40.00 of $50.00, at Stripe $40.00',
        'of each of 4 refunds one refund.succeeded',
        '(0 of them not as they document)'
      ]) {
        t.ok(said.includes(phrase), phrase)
      }
    }
  )
}
