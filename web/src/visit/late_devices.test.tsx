// Devices that open late, fail, or go away; and people who leave before they are open.
import { cleanup, render, waitFor } from '@testing-library/preact'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SignalClient } from '../signal/client'
import { Devices } from './devices'
import { Join } from './join'
import { Room } from './room'
import { Picture, soundHeld } from './waiting'

class Track extends EventTarget {
  enabled = true
  readyState = 'live'
  constructor(readonly kind: 'audio' | 'video') {
    super()
  }
  stop() {
    this.readyState = 'ended'
  }
  /** Unplugged, taken or forbidden. */
  end() {
    this.readyState = 'ended'
    this.dispatchEvent(new Event('ended'))
  }
}

class Stream {
  constructor(private readonly tracks: Track[] = []) {}
  getTracks = () => [...this.tracks]
  getAudioTracks = () => this.tracks.filter(({ kind }) => kind === 'audio')
  getVideoTracks = () => this.tracks.filter(({ kind }) => kind === 'video')
}

class Sound {
  createAnalyser = () => ({ getFloatTimeDomainData() {} })
  createMediaStreamSource = () => ({ connect() {} })
  close = async () => undefined
}

/** The browser: `missing` are the kinds it refuses; with `asking` it waits for the person's answer. */
const browser = { missing: new Set<string>(), given: [] as Track[], asking: undefined as Promise<void> | undefined }
const media = Object.assign(new EventTarget(), {
  getUserMedia: vi.fn(async (wish: MediaStreamConstraints) => {
    const kind = wish.audio ? 'audio' : 'video'
    await browser.asking
    if (browser.missing.has(kind)) throw new DOMException('', 'NotFoundError')
    const track = new Track(kind)
    browser.given.push(track)
    return new Stream([track])
  }),
})
const live = () => browser.given.filter(({ readyState }) => readyState === 'live').map(({ kind }) => kind)
const held = (devices: Devices) => devices.stream.value?.getTracks().map(({ kind }) => kind)

beforeEach(() => {
  browser.missing.clear()
  browser.given = []
  browser.asking = undefined
  media.getUserMedia.mockClear()
  vi.stubGlobal('MediaStream', Stream)
  vi.stubGlobal('AudioContext', Sound)
  Object.defineProperty(navigator, 'mediaDevices', { value: media, configurable: true })
})
afterEach(() => {
  cleanup()
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  vi.useRealTimers()
  sessionStorage.clear()
})

/** Lets the browser wait for an answer; call what comes back to give it. */
function hesitate(): () => void {
  let answer = () => {}
  browser.asking = new Promise((resolve) => {
    answer = resolve
  })
  return answer
}

const settled = () => new Promise((resolve) => setTimeout(resolve))

describe('who leaves before the devices are open', () => {
  it('does not join afterwards, and nothing stays open', async () => {
    const join = vi.spyOn(SignalClient.prototype, 'join').mockImplementation(() => {})
    sessionStorage.setItem('yz.seat', JSON.stringify({ token: 't', seat: 's', kind: 'companion', name: '', phone: '' }))
    const answer = hesitate()
    const page = render(<Join />)
    await waitFor(() => expect(media.getUserMedia).toHaveBeenCalledTimes(1))
    const close = vi.spyOn(Devices.prototype, 'close')
    page.unmount()
    await waitFor(() => expect(close).toHaveBeenCalled()) // effects end after the next frame
    answer()
    await settled()
    expect(browser.given.length).toBe(1)
    expect(live()).toEqual([])
    expect(join).not.toHaveBeenCalled()
  })
  it('who comes back meanwhile joins once', async () => {
    const join = vi.spyOn(SignalClient.prototype, 'join').mockImplementation(() => {})
    const room = new Room(() => new Promise(() => {}), new Devices())
    const answer = hesitate()
    const first = room.enter()
    room.leave()
    const second = room.enter()
    answer()
    await Promise.all([first, second])
    expect(join).toHaveBeenCalledTimes(1)
    expect(live()).toEqual(['audio', 'video'])
  })
  it('closes what a closed page still gets, and gives a new page its own', async () => {
    const devices = new Devices()
    const answer = hesitate()
    const before = devices.open()
    devices.close()
    const after = devices.open()
    answer()
    await Promise.all([before, after])
    expect(live()).toEqual(['audio', 'video'])
    expect(held(devices)).toEqual(['audio', 'video'])
    devices.close()
    expect(live()).toEqual([])
  })
  it('two who open at once get one set of tracks', async () => {
    const devices = new Devices()
    await Promise.all([devices.open(), devices.open()])
    expect(media.getUserMedia).toHaveBeenCalledTimes(2)
    devices.close()
    expect(live()).toEqual([])
  })
})

describe('a device that opens late', () => {
  it('is asked for again alone, beside what works', async () => {
    browser.missing.add('audio')
    const devices = new Devices()
    await devices.open()
    expect([devices.microphone.value, devices.camera.value]).toEqual(['off', 'on'])
    browser.missing.clear()
    await devices.open()
    expect(media.getUserMedia).toHaveBeenCalledTimes(3)
    expect(devices.microphone.value).toBe('on')
    expect(held(devices)?.sort()).toEqual(['audio', 'video'])
  })
  it('asks of the camera what it may give, and demands nothing', async () => {
    await new Devices().open()
    expect(JSON.stringify(media.getUserMedia.mock.calls)).not.toMatch(/max|min|exact/)
  })
  it('is sent as soon as it is there, and shown as on only then', async () => {
    vi.spyOn(SignalClient.prototype, 'join').mockImplementation(() => {})
    const publish = vi.spyOn(SignalClient.prototype, 'publish')
    browser.missing.add('audio')
    const devices = new Devices()
    const room = new Room(() => new Promise(() => {}), devices)
    await room.enter()
    expect([room.view.value.mic, room.view.value.camera]).toEqual([false, true])
    browser.missing.clear()
    room.setMic(true)
    await waitFor(() => expect(room.view.value.mic).toBe(true))
    expect(publish).toHaveBeenCalledWith('microphone', devices.stream.value?.getAudioTracks()[0])
    room.leave()
    publish.mockClear()
    devices.close()
    await devices.open()
    expect(publish.mock.calls.filter(([source]) => source === 'microphone' || source === 'camera')).toEqual([])
  })
  it('is sent closed when the person has closed it', async () => {
    vi.spyOn(SignalClient.prototype, 'join').mockImplementation(() => {})
    const devices = new Devices()
    const room = new Room(() => new Promise(() => {}), devices)
    room.join()
    room.setMic(false)
    await devices.open()
    expect(browser.given.map(({ kind, enabled }) => [kind, enabled])).toEqual([
      ['audio', false],
      ['video', true],
    ])
    expect(room.view.value.mic).toBe(false)
  })
})

describe('a device that goes away', () => {
  it('is shown as off, and opens again when one is plugged in', async () => {
    vi.spyOn(SignalClient.prototype, 'join').mockImplementation(() => {})
    const publish = vi.spyOn(SignalClient.prototype, 'publish')
    const devices = new Devices()
    const room = new Room(() => new Promise(() => {}), devices)
    await room.enter()
    browser.missing.add('audio')
    browser.given[0]?.end()
    await settled()
    expect([devices.microphone.value, devices.camera.value]).toEqual(['off', 'on'])
    expect(held(devices)).toEqual(['video'])
    expect(room.view.value.mic).toBe(false)
    expect(publish).toHaveBeenCalledWith('microphone', undefined)
    browser.missing.clear()
    media.dispatchEvent(new Event('devicechange'))
    await settled()
    expect(devices.microphone.value).toBe('on')
    expect(room.view.value.mic).toBe(true)
    expect(publish).toHaveBeenCalledWith('microphone', browser.given[2])
    devices.close()
    media.dispatchEvent(new Event('devicechange'))
    await settled()
    expect(live()).toEqual([])
  })
  it('gives way to another at once, but not without end', async () => {
    vi.useFakeTimers()
    const devices = new Devices()
    await devices.open()
    await vi.advanceTimersByTimeAsync(60_000)
    browser.given[1]?.end()
    await vi.advanceTimersByTimeAsync(0)
    expect(held(devices)).toEqual(['audio', 'video'])
    browser.given[2]?.end()
    await vi.advanceTimersByTimeAsync(0)
    expect(browser.given.length).toBe(3)
    expect(devices.camera.value).toBe('off')
    devices.close()
  })
})

it('a picture whose sound the browser holds back plays at the next touch', async () => {
  vi.unstubAllGlobals() // the element takes no stream but its own kind
  const play = vi.spyOn(HTMLMediaElement.prototype, 'play')
  play.mockRejectedValueOnce(new DOMException('', 'NotAllowedError')).mockResolvedValue(undefined)
  const { unmount } = render(<Picture stream={new MediaStream()} label="" />)
  await waitFor(() => expect(soundHeld.value).toBe(true))
  window.dispatchEvent(new Event('pointerup'))
  await settled()
  expect([play.mock.calls.length, soundHeld.value]).toEqual([2, false])
  window.dispatchEvent(new Event('pointerup'))
  expect(play).toHaveBeenCalledTimes(2)
  unmount()
})
