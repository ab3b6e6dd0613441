// The ladder of what a line is asked to carry: sound first, the picture by what is left. Pure: measurements in, a rung out.
// Going down is quick, since every second beyond what the line carries is lost speech; going up needs evidence, and each
// attempt that failed makes the next one wait longer.

/** From the least to the most. Sound is sent on all of them; "text" says that it does not get through. */
export const rungs = ['text', 'audio', 'still', '180p', '360p', '720p'] as const
export type Rung = (typeof rungs)[number]

export type Light = 'good' | 'fair' | 'poor'

/** What one direction of the line did since the measurement before, about two seconds. */
export type Sample = {
  /** Milliseconds, of any clock that does not go back. */
  at: number
  /** What the browser believes could be sent, bit/s; undefined where nobody knows. */
  available?: number | undefined
  /** Round trip, ms. */
  rtt?: number | undefined
  /** Part of the packets that did not come, 0 to 1. */
  loss: number
  /** Part of the sound heard that was made up for what did not come, 0 to 1; 0 while nobody speaks or for what we send. */
  concealed: number
}

export type Ladder = {
  rung: Rung
  /** When this rung was taken. */
  since: number
  /** Measurements in a row that speak against the rung; any good one forgives. */
  bad: number
  /** Since when all measurements speak for more; undefined when the last one did not. */
  goodSince: number | undefined
  /** The rung that failed when it was tried last, and how long measurements must speak for it before it is tried again, ms. */
  failed: Rung | undefined
  patience: number
  /** The rung was taken to try it, and is not proven yet. */
  trying: boolean
  light: Light
}

/** What each rung needs on the wire, bit/s, packet headers of the sound included (40 to 64 bytes, 17 to 50 times a second). */
export const need: Record<Rung, number> = {
  text: 0,
  audio: 24_000,
  still: 44_000,
  '180p': 140_000,
  '360p': 450_000,
  '720p': 1_300_000,
}

const downAfter = 2 // measurements; one bad one is a lorry driving by
const firstPatience = 8_000
const heardAgain = 4_000 // sound is sent on the last rung too: to hear it is proof, not an attempt
const longestPatience = 120_000
const proven = 20_000 // a rung held for so long was no failed attempt
const highLoss = 0.1
const ruinousLoss = 0.3
const highConcealed = 0.03 // from here on words are lost
const audible = 0.1 // words are missing, and yet it is a conversation
const highRtt = 1500 // a queue that grows: more is sent than the line carries

export const start = (rung: Rung, at: number): Ladder => ({
  rung,
  since: at,
  bad: 0,
  goodSince: undefined,
  failed: undefined,
  patience: firstPatience,
  trying: false,
  light: 'good',
})

/** What is known of the line, to be judged on new connections: what the old ones did last, and the gap since, is no evidence. */
export const afresh = (ladder: Ladder): Ladder => ({ ...ladder, bad: 0, goodSince: undefined, trying: false })

const index = (rung: Rung) => rungs.indexOf(rung)
const at = (i: number): Rung => rungs[Math.max(0, Math.min(rungs.length - 1, i))] ?? 'audio'
export const least = (...some: Rung[]): Rung => at(Math.min(...some.map(index)))
export const most = (...some: Rung[]): Rung => at(Math.max(...some.map(index)))
export const moves = (rung: Rung) => index(rung) >= index('180p')
const higher = (rung: Rung) => at(index(rung) + 1)
const lower = (rung: Rung) => at(index(rung) - 1)

/** The most that fits into so many bit/s; never less than sound. */
export function fitting(available: number): Rung {
  const fits = rungs.filter((rung) => need[rung] <= available)
  return least('720p', at(Math.max(index('audio'), fits.length - 1)))
}

/** From where on a line is no longer called good: regulation rule TCR-12 warns beyond 3 % of loss and 300 ms there and back. */
export const fairLoss = 0.03
export const fairRtt = 300

export function lightOf(s: Sample): Light {
  if (s.loss > highLoss || s.concealed > highConcealed || (s.rtt ?? 0) > 1000) return 'poor'
  if (s.loss > fairLoss || s.concealed > 0.01 || (s.rtt ?? 0) > fairRtt) return 'fair'
  return 'good'
}

/** The rung that this measurement asks for at once, if it is a lower one. */
function demanded(ladder: Ladder, s: Sample): Rung | undefined {
  const { rung } = ladder
  if (index(rung) <= index('audio')) {
    return rung === 'audio' && (s.concealed > ruinousLoss || s.loss > 0.6) ? 'text' : undefined
  }
  // What a browser believes of a line that carries no picture is how little it sent.
  const over = s.available !== undefined && moves(rung) && s.available < need[rung] * 0.9
  if (over) return least(lower(rung), fitting((s.available ?? 0) * 0.9))
  if (s.loss > ruinousLoss || s.concealed > 0.15) return 'audio'
  // A line that loses at random still carries a small picture; only lost words, or a queue, take that away.
  const full = (s.rtt ?? 0) > highRtt
  const floor: Rung = s.concealed > highConcealed || full ? 'audio' : '180p'
  if (s.concealed > highConcealed || s.loss > highLoss || full) {
    const next = lower(rung)
    return index(next) >= index(floor) ? next : undefined
  }
  return undefined
}

/** Whether the measurement speaks for trying the next rung. */
function promising(ladder: Ladder, s: Sample): boolean {
  // Whether sound gets through, not whether it is perfect: who waits for that on a poor line has words alone for ever.
  if (ladder.rung === 'text') return s.concealed <= audible && s.loss <= ruinousLoss
  // Random loss is mended for the sound, and stills are repeated: to those no loss is in the way that does not take words.
  const still = index(ladder.rung) < index('still')
  const bearable = still ? s.concealed <= highConcealed : s.concealed <= 0.01 && s.loss <= 0.05
  if (lightOf(s) !== 'good' && !bearable) return false
  if (ladder.rung === '720p') return false
  // Below stills nothing but sound is sent: what the browser believes of the line is how little that is. With stills it need only not
  // contradict. With a picture it probes up to twice what it sends, so half as much again is evidence.
  if (s.available === undefined || still) return true
  if (!moves(ladder.rung)) return s.available >= need[ladder.rung]
  return s.available >= Math.min(need[higher(ladder.rung)] * 1.1, need[ladder.rung] * 1.5)
}

/** How long measurements must speak for the next rung: as long as its last failure taught. */
function patienceFor({ rung, failed, patience }: Ladder): number {
  if (rung === 'text' && failed === undefined) return heardAgain
  return failed !== undefined && index(higher(rung)) >= index(failed) ? patience : firstPatience
}

/** One measurement further. */
export function step(ladder: Ladder, s: Sample): Ladder {
  const light = lightOf(s)
  const wanted = demanded(ladder, s)
  if (wanted !== undefined) {
    const bad = ladder.bad + 1
    const stay: Ladder = { ...ladder, bad, goodSince: undefined, light }
    if (bad < downAfter && !ladder.trying) return stay
    const down: Ladder = { ...stay, rung: wanted, since: s.at, bad: 0, trying: false }
    if (!ladder.trying || s.at - ladder.since >= proven) return down
    return { ...down, failed: ladder.rung, patience: Math.min(longestPatience, ladder.patience * 2) }
  }
  let calm: Ladder = { ...ladder, bad: 0, light }
  if (calm.trying && s.at - calm.since >= proven) {
    calm = { ...calm, trying: false }
    if (calm.failed !== undefined && index(calm.rung) >= index(calm.failed))
      calm = { ...calm, failed: undefined, patience: firstPatience }
  }
  if (!promising(calm, s)) return { ...calm, goodSince: undefined }
  const goodSince = calm.goodSince ?? s.at
  if (s.at - goodSince < patienceFor(calm)) return { ...calm, goodSince }
  return { ...calm, rung: higher(calm.rung), since: s.at, goodSince: undefined, trying: true }
}
