// What we offer, and what the answer to our offer asks of our encoder of sound (RFC 7587 §6, RFC 8866 §6.4, RFC 2198). Pure.

/** How our sound is packed. */
export type Packing = {
  /** Milliseconds in a packet: of 20, their headers weigh more than the voice. */
  packet: 20 | 60 | 120
  /** Each packet repeats the one before it. */
  redundant: boolean
}

/** Silence is not sent; the rest as the line asks. Of the formats the browser sends the first that it may. */
export function askOfSound(answer: string, { packet, redundant }: Packing): string {
  const opus = /^a=rtpmap:(\d+) opus\/48000/im.exec(answer)?.[1]
  if (opus === undefined) return answer
  const fmtp = new RegExp(`^(a=fmtp:${opus} [^\\r\\n]*)(\\r?\\n)`, 'im')
  const asked = answer.replace(fmtp, (_, line: string, end: string) => {
    const silence = line.includes('usedtx') ? '' : ';usedtx=1'
    return `${line}${silence}${end}${packet > 20 ? `a=ptime:${packet}${end}` : ''}`
  })
  const red = new RegExp(`^a=fmtp:(\\d+) ${opus}/${opus}`, 'im').exec(asked)?.[1]
  if (!redundant || red === undefined) return asked
  return asked.replace(/^(m=audio \S+ \S+)((?: \d+)+)/gim, (all, head: string, list: string) => {
    const formats = list.trim().split(' ')
    if (!formats.includes(red)) return all
    return `${head} ${[red, ...formats.filter((format) => format !== red)].join(' ')}`
  })
}

/**
 * Which sizes of a picture are sent stays as it is. A browser takes it from an answer (RFC 8853 §5.1: "~" is paused), also from
 * one that is of a time when other sizes were sent, or none.
 */
export function keepSizes(answer: string, sizes: readonly { rid?: string; active?: boolean }[]): string {
  return answer.replace(/^(a=simulcast:recv )(\S+)/gim, (_, head: string, list: string) => {
    const kept = list.split(';').map((word) => {
      const rid = word.replace('~', '')
      const size = sizes.find((one) => one.rid === rid)
      return !size ? word : size.active ? rid : `~${rid}`
    })
    return head + kept.join(';')
  })
}

/** What the server relays (signaling/PROTOCOL.md §3): the rest of what a browser knows would only make offers long. */
export function relayed<Codec extends { mimeType: string; sdpFmtpLine?: string | undefined }>(
  codecs: readonly Codec[],
): Codec[] {
  return codecs.filter(({ mimeType, sdpFmtpLine = '' }) => {
    switch (mimeType.toLowerCase()) {
      case 'video/h264':
        return sdpFmtpLine.includes('packetization-mode=1') && /profile-level-id=42/i.test(sdpFmtpLine)
      case 'video/vp9':
        return !/profile-id=[1-9]/.test(sdpFmtpLine)
      case 'video/av1':
        return !/profile=[1-9]/.test(sdpFmtpLine)
      default:
        return ['audio/opus', 'audio/red', 'video/vp8', 'video/rtx'].includes(mimeType.toLowerCase())
    }
  })
}
