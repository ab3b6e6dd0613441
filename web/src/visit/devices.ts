// Microphone, camera, speaker and line, as the waiting page tries them.
import { signal } from '@preact/signals'
import type { DeviceReport } from '../api/types/visit'

export type LineGrade = 'good' | 'fair' | 'weak'

/** Median of the round trips, in milliseconds. */
export function grade(roundTrips: readonly number[]): { rtt: number; grade: LineGrade } {
  const sorted = [...roundTrips].sort((a, b) => a - b)
  const rtt = Math.round(sorted[Math.floor(sorted.length / 2)] ?? 9999)
  return { rtt, grade: rtt < 200 ? 'good' : rtt < 600 ? 'fair' : 'weak' }
}

/** Five small requests; the first opens the connection and does not count. */
export async function measureLine(
  ask: () => Promise<unknown> = () => fetch('/healthz', { cache: 'no-store' }),
  rounds = 5,
) {
  const times: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now()
    try {
      await ask()
    } catch {
      times.push(9999)
      continue
    }
    if (round > 0) times.push(performance.now() - start)
  }
  return grade(times)
}

export type DeviceState = 'untried' | 'asking' | 'on' | 'off'

type Kind = 'audio' | 'video'

const wishes: Record<Kind, MediaStreamConstraints> = {
  audio: { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } },
  // Ideals only: a limit is a demand, which many webcams cannot meet.
  video: { video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 24 } } },
}
const shortLived = 5000 // ms: a device that is lost so soon after it opened is not asked for again by itself

/** Owns the local tracks from the first test until the visit is left, so that the permission is asked for once. */
export class Devices {
  readonly microphone = signal<DeviceState>('untried')
  readonly camera = signal<DeviceState>('untried')
  readonly level = signal(0)
  readonly heardVoice = signal(false)
  readonly speaker = signal<'untried' | 'heard' | 'silent'>('untried')
  /** The tracks that live; a new one whenever a device comes or goes. */
  readonly stream = signal<MediaStream | undefined>(undefined)
  readonly line = signal<{ rtt: number; grade: LineGrade } | undefined>(undefined)
  private audio: AudioContext | undefined
  private meter: ReturnType<typeof setInterval> | undefined
  private opened = 0 // raised by close: what was asked for before is not wanted any more
  private readonly asked = new Map<Kind, Promise<void>>()
  private readonly plugged = () => void this.open()

  /**
   * Opens what is missing, also when a device was plugged in later. Microphone first: a voice is enough for a visit, so a
   * missing camera stops nothing.
   */
  async open(): Promise<void> {
    const { opened } = this
    navigator.mediaDevices?.addEventListener?.('devicechange', this.plugged)
    await this.ask('audio')
    if (opened === this.opened) await this.ask('video')
  }

  /** Two who ask at once wait for the same answer. */
  private ask(kind: Kind): Promise<void> {
    if (this.tracks().some((track) => track.kind === kind)) return Promise.resolve()
    const asking = this.asked.get(kind) ?? this.take(kind)
    this.asked.set(kind, asking)
    return asking
  }

  private async take(kind: Kind): Promise<void> {
    const { opened } = this
    const state = this.state(kind)
    state.value = 'asking'
    const got = await navigator.mediaDevices?.getUserMedia(wishes[kind]).catch(() => undefined)
    const [track] = got?.getTracks() ?? []
    if (opened !== this.opened) return track?.stop()
    this.asked.delete(kind)
    state.value = track ? 'on' : 'off'
    if (!track) return
    const since = Date.now()
    track.addEventListener('ended', () => this.lost(kind, track, since))
    this.stream.value = new MediaStream([...this.tracks(), track])
    if (kind === 'audio') this.listen(track)
  }

  /** Unplugged, taken by another program, or forbidden: another of the kind may take its place. */
  private lost(kind: Kind, track: MediaStreamTrack, since: number): void {
    if (!this.tracks().includes(track)) return
    const rest = this.tracks().filter((one) => one !== track)
    this.stream.value = rest.length > 0 ? new MediaStream(rest) : undefined
    this.state(kind).value = 'off'
    if (kind === 'audio') this.hush()
    if (Date.now() - since > shortLived) void this.ask(kind)
  }

  private state(kind: Kind) {
    return kind === 'audio' ? this.microphone : this.camera
  }

  private tracks(): MediaStreamTrack[] {
    return this.stream.value?.getTracks() ?? []
  }

  private listen(track: MediaStreamTrack): void {
    this.audio ??= new AudioContext()
    const analyser = this.audio.createAnalyser()
    analyser.fftSize = 512
    this.audio.createMediaStreamSource(new MediaStream([track])).connect(analyser)
    const samples = new Float32Array(analyser.fftSize)
    this.meter = setInterval(() => {
      analyser.getFloatTimeDomainData(samples)
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
      this.level.value = Math.min(1, Math.sqrt(power) * 6)
      if (this.level.value > 0.12) this.heardVoice.value = true
    }, 100)
  }

  private hush(): void {
    clearInterval(this.meter)
    this.level.value = 0
  }

  /** Two soft tones; the person says whether they were heard. */
  async play(): Promise<void> {
    const audio = this.audio ?? new AudioContext()
    this.audio = audio
    await audio.resume()
    for (const [at, pitch] of [
      [0, 523],
      [0.35, 659],
    ] as const) {
      const tone = audio.createOscillator()
      const volume = audio.createGain()
      tone.frequency.value = pitch
      volume.gain.setValueAtTime(0, audio.currentTime + at)
      volume.gain.linearRampToValueAtTime(0.25, audio.currentTime + at + 0.03)
      volume.gain.linearRampToValueAtTime(0, audio.currentTime + at + 0.3)
      tone.connect(volume).connect(audio.destination)
      tone.start(audio.currentTime + at)
      tone.stop(audio.currentTime + at + 0.35)
    }
  }

  async testLine(): Promise<void> {
    this.line.value = await measureLine()
  }

  report(): DeviceReport {
    return {
      device: {
        microphone: this.microphone.value === 'on',
        camera: this.camera.value === 'on',
        speaker: this.speaker.value !== 'silent',
      },
      network: { rtt_ms: this.line.value?.rtt ?? 9999, path: 'https' },
    }
  }

  close(): void {
    this.opened++
    this.asked.clear()
    navigator.mediaDevices?.removeEventListener?.('devicechange', this.plugged)
    this.hush()
    void this.audio?.close()
    this.audio = undefined
    const tracks = this.tracks()
    this.stream.value = undefined
    for (const track of tracks) track.stop()
    this.microphone.value = 'untried'
    this.camera.value = 'untried'
  }
}
