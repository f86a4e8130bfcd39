/** A message of PostgreSQL's protocol: `type` is one letter, `body` what follows its length, `raw` all of it. */
export type Frame = { type: string; body: Buffer; raw: Buffer }

/**
 * Cuts what arrives in pieces into messages. A client's first one bears no letter: `isClient`.
 * Ask for no encryption: the answer to that would be no message.
 */
export function createFrames({ isClient }: { isClient: boolean }) {
  let kept: Buffer = Buffer.alloc(0)
  let isFirst = isClient

  return function cut(piece: Buffer): Frame[] {
    kept = kept.length === 0 ? piece : Buffer.concat([kept, piece])
    const frames: Frame[] = []
    for (;;) {
      const head = isFirst ? 0 : 1
      if (kept.length < head + 4) return frames
      const end = head + kept.readUInt32BE(head)
      if (kept.length < end) return frames
      const raw = kept.subarray(0, end)
      frames.push({
        type: isFirst ? '' : String.fromCharCode(raw[0] ?? 0),
        body: raw.subarray(head + 4),
        raw
      })
      kept = kept.subarray(end)
      isFirst = false
    }
  }
}
