import { describe, expect, it, vi } from 'vitest'
import { rungs } from './ladder'
import { Line, type LineParts, sending, settings } from './line'
import type { Media } from './media'
import type { ClientMessage, Seat } from './protocol'
import { type Counters, nothingCounted } from './quality'

const seat = (limit: string, pictures = true, presence: Seat['presence'] = 'live') => ({
  presence,
  line: { pictures, limit, light: '' },
})

describe('what is sent', () => {
  it.each([
    ['as much as the line carries, when the other can take it', '720p', [seat('720p')], '720p', undefined],
    ['what the other can take', '720p', [seat('180p')], '180p', undefined],
    ['as much as the line carries, while nothing is known of the other', '360p', [seat('')], '360p', undefined],
    ['no picture that nobody wants', '720p', [seat('audio', false)], 'audio', undefined],
    ['no picture to an empty room', '720p', [], 'audio', undefined],
    ['no picture to who only waits', '720p', [seat('720p', true, 'waiting')], 'audio', undefined],
    [
      'stills to who can take no more, without holding the others back',
      '720p',
      [seat('360p'), seat('still', false)],
      '360p',
      'walk',
    ],
    ['stills, when our own line carries no more', 'still', [seat('720p')], 'still', 'walk'],
    ['sound, and stills as they fit beside it', 'audio', [seat('720p'), seat('still', false)], 'audio', 'drip'],
    ['stills bit by bit to a line that carries sound', '720p', [seat('drip', false)], 'audio', 'drip'],
    ['sound alone to who takes nothing else', '720p', [seat('audio', false)], 'audio', undefined],
    ['words, when nothing else fits', 'text', [seat('720p'), seat('still', false)], 'text', undefined],
  ] as const)('%s', (_, up, others, rung, stills) => {
    expect(sending(up, others)).toEqual({ rung, stills })
  })
  it('in several sizes, one thin line does not make the picture of the others small', () => {
    expect(sending('720p', [seat('180p'), seat('720p')])).toEqual({ rung: '180p', stills: undefined })
    expect(sending('720p', [seat('180p'), seat('720p')], true)).toEqual({ rung: '720p', stills: undefined })
    expect(sending('360p', [seat('180p'), seat('720p')], true)).toEqual({ rung: '360p', stills: undefined })
    expect(sending('720p', [seat('180p')], true)).toEqual({ rung: '180p', stills: undefined })
  })
  it('stills also to a line that loses nothing, before which the server holds pictures back; none to who wants none', () => {
    expect(sending('720p', [seat('720p')], false, 'still')).toEqual({ rung: '720p', stills: 'walk' })
    expect(sending('720p', [seat('720p')], false, 'audio')).toEqual({ rung: '720p', stills: 'drip' })
    expect(sending('720p', [seat('still', false)], false, 'audio')).toEqual({ rung: 'audio', stills: 'drip' })
    expect(sending('720p', [seat('audio', false)], false, 'audio')).toEqual({ rung: 'audio', stills: undefined })
    expect(sending('720p', [seat('720p')], false, '180p')).toEqual({ rung: '720p', stills: undefined })
  })
  it('sound is always asked for, at 12 kbit/s at least, and at 8 where it hardly gets through', () => {
    expect(rungs.filter((rung) => settings[rung].sound < 12_000)).toEqual(['text'])
    expect(settings.text.sound).toBe(8_000)
  })
})

/** A line of which a test says what it counts. */
function bench() {
  const said: ClientMessage[] = []
  const applied: (typeof settings)['720p'][] = []
  const repeated: number[] = []
  const kept: (number | undefined)[] = []
  let trip: number | undefined
  let counters: Counters = { ...nothingCounted }
  const parts: LineParts = {
    media: () =>
      ({
        counters: async (at: number) => ({ ...counters, at }),
        apply: (s: (typeof applied)[0], copies: number) => {
          applied.push(s)
          repeated.push(copies)
        },
        keepSound: (ms: number | undefined) => kept.push(ms),
        layered: () => false,
      }) as unknown as Media,
    send: (message) => said.push(message),
    others: () => [{ seat: 'doctor', name: '', role: 'host', tracks: [], ...seat('720p') }],
    camera: () => undefined,
    piece: () => true,
    trip: () => trip,
    changed: () => undefined,
  }
  const line = new Line(parts)
  const pass = async (seconds: number, count: (before: Counters) => Partial<Counters>) => {
    for (let n = 0; n < seconds / 2; n++) {
      counters = { ...counters, ...count(counters) }
      at += 2000
      await line.measure(at)
    }
  }
  let at = 10_000
  const far = (ms: number) => {
    trip = ms
  }
  return { line, said, applied, repeated, kept, pass, far }
}

describe('a line that is measured', () => {
  it('says what it takes once, and again when it changed or the room is new', async () => {
    const { line, said, pass } = bench()
    line.begin()
    await pass(6, (c) => ({ packetsReceived: c.packetsReceived + 100 }))
    expect(said.filter(({ type }) => type === 'line')).toEqual([
      { type: 'line', line: { pictures: true, limit: '720p', light: 'good' } },
    ])
    line.begin()
    expect(said.filter(({ type }) => type === 'line')).toHaveLength(2)
    line.listenOnly(true)
    expect(said.at(-1)).toEqual({ type: 'line', line: { pictures: false, limit: 'audio', light: 'good' } })
  })
  it('begins without moving pictures where words take long, and takes them when the line has shown itself good', async () => {
    const { line, said, applied, pass, far } = bench()
    far(450)
    line.begin()
    expect(said).toEqual([{ type: 'line', line: { pictures: false, limit: 'still', light: 'good' } }])
    expect(applied.at(-1)).toEqual(settings.still)
    await pass(30, (c) => ({ packetsReceived: c.packetsReceived + 100 }))
    expect(line.view().takes).toBe('360p')
  })
  it('begins with what the last call ended with, but never with words alone', () => {
    const held = new Map<string, string>()
    vi.stubGlobal('localStorage', { getItem: (key: string) => held.get(key) ?? null })
    for (const [last, first] of [
      ['180p', '180p'],
      ['720p', '360p'],
      ['text', 'audio'],
    ] as const) {
      held.set('yz.rung', last)
      expect(bench().line.view().sends).toBe(first)
    }
    vi.unstubAllGlobals()
  })
  it('goes down when what comes is lost, and tells the encoders when what goes is', async () => {
    const { line, applied, pass } = bench()
    line.begin()
    await pass(8, (c) => ({ packetsReceived: c.packetsReceived + 60, packetsLost: c.packetsLost + 40 }))
    expect(line.view().takes).toBe('audio')
    expect(line.view().light).toBe('poor')
    await pass(8, () => ({ available: 30_000 }))
    expect(line.view().sends).toBe('audio')
    expect(applied.at(-1)).toEqual(settings.audio)
  })
  it('has sound repeated while packets are lost, and keeps it until the repetition can have come', async () => {
    const { line, repeated, kept, pass } = bench()
    line.begin()
    await pass(6, (c) => ({ packetsReceived: c.packetsReceived + 100 }))
    expect(repeated.at(-1)).toBe(0)
    expect(kept.at(-1)).toBe(undefined)
    await pass(4, (c) => ({ lossSent: 0.1, packetsReceived: c.packetsReceived + 97, packetsLost: c.packetsLost + 3 }))
    expect(repeated.at(-1)).toBe(1)
    expect(kept.at(-1)).toBe(280)
    await pass(16, (c) => ({ lossSent: 0, packetsReceived: c.packetsReceived + 100 }))
    expect(repeated.at(-1)).toBe(1)
    await pass(8, (c) => ({ packetsReceived: c.packetsReceived + 100 }))
    expect(repeated.at(-1)).toBe(0)
    expect(kept.at(-1)).toBe(undefined)
  })
  it('makes its sound for the thinnest line that hears it, as the server says, and small where it goes twice', async () => {
    const { line, applied, pass } = bench()
    line.begin()
    await pass(4, (c) => ({ packetsReceived: c.packetsReceived + 100 }))
    const wide = applied.at(-1)
    expect(wide?.packet).toBe(20)
    line.hearable('stills')
    expect(applied.at(-1)).toEqual({ ...wide, sound: 16_000, packet: 60 })
    line.hearable('sound')
    expect(applied.at(-1)).toEqual({ ...wide, sound: 12_000, packet: 60 })
    await pass(4, (c) => ({ lossSent: 0.02, packetsReceived: c.packetsReceived + 100 }))
    expect(applied.at(-1)).toEqual({ ...wide, sound: 8_000, packet: 120 })
    line.hearable('high')
    expect(applied.at(-1)).toEqual(wide)
  })
  it('keeps sound as long as repeats take that come in packets as long as those that arrive', async () => {
    const { line, kept, pass } = bench()
    line.begin()
    const hears = (packets: number) => (c: Counters) => ({
      heard: c.heard + 96_000,
      soundPackets: c.soundPackets + packets,
      packetsReceived: c.packetsReceived + 1000,
      packetsLost: c.packetsLost + 20,
    })
    await pass(4, hears(100))
    expect(kept.at(-1)).toBe(40 + 2 * 20)
    await pass(2, hears(5)) // silence, or longer packets
    expect(kept.at(-1)).toBe(40 + 2 * 25)
    await pass(2, (c) => ({ ...hears(16)(c), heard: c.heard })) // nothing is played yet
    expect(kept.at(-1)).toBe(40 + 2 * 20)
    await pass(20, hears(16))
    expect(kept.at(-1)).toBe(40 + 2 * 120)
  })
  it('sends its sound a third time where two packets in a row are lost often, unless it hardly gets through', async () => {
    const { line, applied, repeated, pass } = bench()
    line.begin()
    line.hearable('stills')
    await pass(4, () => ({ lossSent: 0.15, available: 500_000 }))
    expect(repeated.at(-1)).toBe(2)
    expect(applied.at(-1)).toMatchObject({ sound: 8_000, packet: 120 })
    await pass(4, () => ({ lossSent: 0.05, available: 500_000 }))
    expect(repeated.at(-1)).toBe(2) // of the loss not all is forgotten yet
    await pass(24, () => ({ lossSent: 0.05, available: 500_000 }))
    expect(repeated.at(-1)).toBe(1)
    await pass(8, () => ({ lossSent: 0.4 }))
    expect(line.view().sends).toBe('audio')
    expect(repeated.at(-1)).toBe(2)
    expect(applied.at(-1)).toMatchObject({ sound: 6_000, packet: 120 })
    await pass(8, () => ({ lossSent: 0.7 }))
    expect(line.view().sends).toBe('text')
    expect(repeated.at(-1)).toBe(1)
    expect(applied.at(-1)).toMatchObject({ sound: 8_000, packet: 120 })
  })
  it('reports every ten seconds', async () => {
    const { line, said, pass } = bench()
    line.begin()
    await pass(24, (c) => ({ bytesSent: c.bytesSent + 4000, path: 'udp' }))
    const reports = said.flatMap((message) => (message.type === 'quality' ? [message.quality] : []))
    expect(reports.map(({ seconds, up_kbps }) => [seconds, up_kbps])).toEqual([
      [10, 16],
      [10, 16],
    ])
  })
})
