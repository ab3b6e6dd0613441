import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Camera, cut, isStill, Pieces } from './stills'

const picture = Array.from({ length: 4000 }, (_, n) => 'ABCDabcd0123+/'[n % 14]).join('')

describe('a still picture in pieces', () => {
  it('fits the channel and comes together in any order, once', () => {
    const pieces = cut(7, picture)
    expect(pieces.length).toBe(5)
    expect(pieces.every((piece) => piece.length <= 1024 && isStill(piece))).toBe(true)
    const box = new Pieces()
    const got = [...pieces].reverse().map((piece) => box.add('doctor', piece))
    expect(got).toEqual([undefined, undefined, undefined, undefined, picture])
    expect(pieces.map((piece) => box.add('doctor', piece))).toEqual(Array(5).fill(undefined))
  })
  it('survives the loss of some, since each comes twice', () => {
    const box = new Pieces()
    const pieces = cut(1, picture)
    const arrived = [...pieces.slice(0, 2), ...pieces.slice(3), ...pieces.slice(1, 3)]
    expect(arrived.map((piece) => box.add('a', piece)).filter(Boolean)).toEqual([picture])
  })
  it('gives way to a newer one, and keeps seats apart', () => {
    const box = new Pieces()
    const [old] = cut(1, picture)
    const next = cut(2, 'newer')[0] ?? ''
    expect(box.add('a', old ?? '')).toBeUndefined()
    expect(box.add('a', next)).toBe('newer')
    expect(box.add('b', next)).toBe('newer')
    expect(cut(1, picture).map((piece) => box.add('a', piece))).toEqual(Array(5).fill(undefined))
  })
  it('is not sent when it is too large', () => {
    expect(cut(1, 'A'.repeat(20_000))).toEqual([])
  })
  it.each(['', 'still:', 'still:1:2:2:AA', 'still:1:0:99:AA', 'still:1:0:1:<script>', '{"i":7}'])(
    'passes %j over',
    (text) => {
      expect(new Pieces().add('a', text)).toBeUndefined()
    },
  )
})

describe('a camera that is shown in stills', () => {
  const elements: Record<string, () => object> = {
    video: () => ({ videoWidth: 640, videoHeight: 480, play: async () => undefined }),
    canvas: () => ({ getContext: () => undefined, toDataURL: () => `data:image/jpeg;base64,${picture}` }),
  }
  beforeEach(() => {
    vi.useFakeTimers()
    vi.stubGlobal('document', { createElement: (name: string) => elements[name]?.() })
    vi.stubGlobal('MediaStream', class {})
  })
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })
  const track = {} as MediaStreamTrack

  it('is sent every five seconds, after the beginning of the call', () => {
    const sent: string[] = []
    const camera = new Camera((piece) => sent.push(piece) > 0)
    camera.start(track, false)
    vi.advanceTimersByTime(37_000)
    camera.stop()
    const box = new Pieces()
    expect(sent.map((piece) => box.add('a', piece)).filter(Boolean).length).toBe(6)
    vi.advanceTimersByTime(30_000)
    expect(sent.length).toBe(6 * 5)
  })
  it('takes little of a line that carries sound alone, and each picture comes to its end', () => {
    const sent: string[] = []
    const camera = new Camera((piece) => sent.push(piece) > 0)
    camera.start(track, true)
    vi.advanceTimersByTime(70_000)
    camera.stop()
    const box = new Pieces()
    expect(sent.map((piece) => box.add('a', piece)).filter(Boolean).length).toBe(2)
    expect((sent.join('').length * 8) / 70).toBeLessThan(1_400) // bit/s
  })
  it('is taken of the camera that is there now', () => {
    const play = vi.fn(async () => undefined)
    const video = { videoWidth: 640, videoHeight: 480, play, srcObject: undefined as unknown }
    vi.stubGlobal('document', { createElement: () => video })
    const camera = new Camera(() => true)
    camera.start(track, false)
    const first = video.srcObject
    camera.start(track, false)
    expect(video.srcObject).toBe(first)
    camera.start({} as MediaStreamTrack, false)
    expect(video.srcObject).not.toBe(first)
    expect(play).toHaveBeenCalledTimes(2)
    camera.stop()
  })
  it('waits for a line that takes nothing, but shows the present afterwards', () => {
    let open = false
    const sent: string[] = []
    const camera = new Camera((piece) => open && sent.push(piece) > 0)
    camera.start(track, false)
    vi.advanceTimersByTime(44_000)
    open = true
    vi.advanceTimersByTime(3_500)
    camera.stop()
    const ids = new Set(sent.map((piece) => piece.split(':')[1]))
    expect(sent.length).toBeGreaterThan(3)
    expect(ids.size).toBe(1)
  })
})
