// Sound in RED (RFC 2198), as the browser makes it: each packet repeats the frame before it. A line that loses a fifth loses two
// packets in a row often enough to be heard; here the frame before that is put in once more. Pure; red.worker.ts carries it out.

/** The most frames before it that a packet repeats here; the browser by itself repeats one. */
export const deepest = 2

const longestAge = (1 << 14) - 1 // of a block: its offset has 14 bits, its length 10 (RFC 2198 §3)
const longestBlock = (1 << 10) - 1

type Frame = { timestamp: number; data: Uint8Array }

/** The newest frame of a RED packet and its format; undefined if it is none. */
function newest(packet: Uint8Array): { kind: number; data: Uint8Array } | undefined {
  let header = 0
  let older = 0
  for (; ((packet[header] ?? 0) & 0x80) !== 0; header += 4) {
    older += (((packet[header + 2] ?? 0) & 3) << 8) | (packet[header + 3] ?? 0)
  }
  const from = header + 1 + older
  const kind = packet[header]
  return kind === undefined || from > packet.length ? undefined : { kind, data: packet.slice(from) }
}

/** Makes one stream's packets repeat more than the browser does. */
export class Repeater {
  /** How many frames before it a packet repeats; up to 1 it stays as the browser made it. */
  depth = 0
  private before: Frame[] = []

  /** The packet as it is to be sent; `timestamp` is RTP's, at 48 kHz. */
  repeat(packet: Uint8Array, timestamp: number): Uint8Array {
    const frame = newest(packet)
    if (!frame) {
      this.before = []
      return packet
    }
    const blocks: { age: number; data: Uint8Array }[] = []
    for (const one of this.before.slice(0, this.depth)) {
      const age = (timestamp - one.timestamp) >>> 0
      if (age > longestAge || one.data.length > longestBlock) break
      blocks.unshift({ age, data: one.data })
    }
    this.before = [{ timestamp, data: frame.data }, ...this.before].slice(0, deepest)
    if (this.depth < 2 || blocks.length < 2) return packet
    const parts = [
      ...blocks.map(({ age, data: { length } }) =>
        Uint8Array.of(0x80 | frame.kind, age >> 6, ((age & 63) << 2) | (length >> 8), length & 255),
      ),
      Uint8Array.of(frame.kind),
      ...blocks.map(({ data }) => data),
      frame.data,
    ]
    const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }
}
