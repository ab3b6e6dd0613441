// What the answer to our offer asks of our encoder of sound (RFC 7587 §6, RFC 8866 §6.4). Pure.

/** Silence is not sent; and on a narrow line longer packets, since at 50 a second their headers weigh more than the voice. */
export function askOfSound(answer: string, narrow: boolean): string {
  const opus = /^a=rtpmap:(\d+) opus\/48000/im.exec(answer)?.[1]
  if (opus === undefined) return answer
  const fmtp = new RegExp(`^(a=fmtp:${opus} [^\\r\\n]*)(\\r?\\n)`, 'im')
  return answer.replace(fmtp, (_, line: string, end: string) => {
    const silence = line.includes('usedtx') ? '' : ';usedtx=1'
    return `${line}${silence}${end}${narrow ? `a=ptime:60${end}` : ''}`
  })
}
