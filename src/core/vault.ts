import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/** AES-256-GCM at rest: nonce (12 bytes), tag (16 bytes), ciphertext. `open` throws on anything tampered with. */
export function createVault(key: Buffer) {
  return {
    seal(plain: string): Buffer {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed])
    },
    open(bytes: Buffer): string {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
      decipher.setAuthTag(bytes.subarray(12, 28))
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
    }
  }
}

export type Vault = ReturnType<typeof createVault>
