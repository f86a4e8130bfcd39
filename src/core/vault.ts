import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/**
 * AES-256-GCM at rest: nonce (12 bytes), tag (16 bytes), ciphertext. Seals with `key`, opens what that or `previous`
 * has sealed. A seal made for a `purpose` opens for that alone. Throws on anything tampered with.
 */
export function createVault(key: Buffer, previous?: Buffer) {
  function seal(plain: string, purpose = ''): Buffer {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(purpose))
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed])
  }

  /** What is sealed, and whether by the current key. */
  function unseal(bytes: Buffer, purpose: string): { plain: string; isCurrent: boolean } {
    try {
      return { plain: openWith(key, bytes, purpose), isCurrent: true }
    } catch (error) {
      if (previous === undefined) throw error
      return { plain: openWith(previous, bytes, purpose), isCurrent: false }
    }
  }

  return {
    seal,
    open: (bytes: Buffer, purpose = ''): string => unseal(bytes, purpose).plain,
    /** The same under the current key; `undefined` if it is that already. */
    reseal(bytes: Buffer, purpose = ''): Buffer | undefined {
      const { plain, isCurrent } = unseal(bytes, purpose)
      return isCurrent ? undefined : seal(plain, purpose)
    }
  }
}

export type Vault = ReturnType<typeof createVault>

function openWith(key: Buffer, bytes: Buffer, purpose: string): string {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
  decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(12, 28))
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
}
