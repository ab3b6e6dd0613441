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

/** Owns the local tracks from the first test until the visit is left, so that the permission is asked for once. */
export class Devices {
  readonly microphone = signal<DeviceState>('untried')
  readonly camera = signal<DeviceState>('untried')
  readonly level = signal(0)
  readonly heardVoice = signal(false)
  readonly speaker = signal<'untried' | 'heard' | 'silent'>('untried')
  readonly stream = signal<MediaStream | undefined>(undefined)
  readonly line = signal<{ rtt: number; grade: LineGrade } | undefined>(undefined)
  private audio: AudioContext | undefined
  private meter: ReturnType<typeof setInterval> | undefined

  /** Microphone first: a voice is enough for a visit, so a missing camera stops nothing. */
  async open(): Promise<void> {
    if (this.stream.value) return
    const media = navigator.mediaDevices
    this.microphone.value = 'asking'
    const tracks: MediaStreamTrack[] = []
    try {
      const sound = await media.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      })
      tracks.push(...sound.getTracks())
      this.microphone.value = 'on'
    } catch {
      this.microphone.value = 'off'
    }
    this.camera.value = 'asking'
    try {
      const picture = await media.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 24, max: 24 } },
      })
      tracks.push(...picture.getTracks())
      this.camera.value = 'on'
    } catch {
      this.camera.value = 'off'
    }
    if (tracks.length === 0) return
    const stream = new MediaStream(tracks)
    this.stream.value = stream
    if (this.microphone.value === 'on') this.listen(stream)
  }

  private listen(stream: MediaStream): void {
    const audio = new AudioContext()
    this.audio = audio
    const analyser = audio.createAnalyser()
    analyser.fftSize = 512
    audio.createMediaStreamSource(new MediaStream(stream.getAudioTracks())).connect(analyser)
    const samples = new Float32Array(analyser.fftSize)
    this.meter = setInterval(() => {
      analyser.getFloatTimeDomainData(samples)
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
      this.level.value = Math.min(1, Math.sqrt(power) * 6)
      if (this.level.value > 0.12) this.heardVoice.value = true
    }, 100)
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
    clearInterval(this.meter)
    void this.audio?.close()
    this.audio = undefined
    for (const track of this.stream.value?.getTracks() ?? []) track.stop()
    this.stream.value = undefined
    this.microphone.value = 'untried'
    this.camera.value = 'untried'
  }
}
