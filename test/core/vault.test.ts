import { createCipheriv, randomBytes } from 'node:crypto'
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

t.test('what was sealed before there were purposes still opens', async (t) => {
  const key = randomBytes(32)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const sealed = Buffer.concat([cipher.update('a secret', 'utf8'), cipher.final()])
  t.equal(createVault(key).open(Buffer.concat([nonce, cipher.getAuthTag(), sealed])), 'a secret')
})

t.test('a seal made for a purpose opens for that alone', async (t) => {
  const sealed = vault.seal('a secret', 'this')
  t.equal(vault.open(sealed, 'this'), 'a secret')
  for (const purpose of ['that', '', undefined]) t.throws(() => vault.open(sealed, purpose))
  t.throws(() => vault.open(vault.seal('a secret'), 'this'))
})

t.test('a changed key opens what the one before has sealed, and seals it anew', async (t) => {
  const [first, second] = [randomBytes(32), randomBytes(32)]
  const [before, during, after] = [createVault(first), createVault(second, first), createVault(second)]
  for (const purpose of ['', 'this']) {
    const old = before.seal('a secret', purpose)
    t.equal(during.open(old, purpose), 'a secret')
    t.throws(() => after.open(old, purpose))
    const fresh = during.reseal(old, purpose)
    if (!fresh) throw new Error('it was not sealed anew')
    t.equal(after.open(fresh, purpose), 'a secret')
    t.equal(during.reseal(fresh, purpose), undefined, 'once')
    t.throws(() => during.reseal(old, 'another'))
  }
  t.equal(after.reseal(after.seal('a secret')), undefined)
  t.throws(() => after.reseal(before.seal('a secret')))
})

t.test('a shortened tag does not pass', async (t) => {
  const sealed = vault.seal('')
  for (let length = 12; length < 28; length++) t.throws(() => vault.open(sealed.subarray(0, length)))
})
