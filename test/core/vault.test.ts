import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { createVault } from '../../src/core/vault.ts'

const vault = createVault(randomBytes(32))

t.test('what is sealed opens to the same text', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => vault.open(vault.seal(text)) === text.toWellFormed())
  )
})

t.test('the same text is never sealed to the same bytes, and does not show', async (t) => {
  const [once, again] = [vault.seal('a secret'), vault.seal('a secret')]
  t.notSame(once, again)
  t.notMatch(once.toString('latin1'), /secret/)
})

t.test('a change of any byte, a piece or another key do not open', async (t) => {
  const sealed = vault.seal('a secret')
  for (let n = 0; n < sealed.length; n++) {
    const changed = Buffer.from(sealed)
    changed.writeUInt8((changed[n] ?? 0) ^ 1, n)
    t.throws(() => vault.open(changed), `byte ${n}`)
  }
  t.throws(() => vault.open(sealed.subarray(0, -1)))
  t.throws(() => vault.open(Buffer.alloc(0)))
  t.throws(() => createVault(randomBytes(32)).open(sealed))
})
