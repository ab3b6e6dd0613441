// Still pictures over the reliable channel, for lines that carry no moving ones: a small JPEG in pieces, one after the other so
// that sound passes between them. Pieces of a newer picture replace those of an older one that are not sent yet.

const prefix = 'still:'
const maxPieces = 12
const stillEvery = 5000 // ms
const firstAfter = 8000 // ms: a call begins with sound, and with what is learnt of the line
const outdated = 30_000 // ms: what is left of a picture so old is not worth its way

/** How a picture goes out: its width and pieces wanted of it, a piece's characters, the ms between two. */
type Pace = { width: number; enough: number; size: number; every: number }

/** 14 kbit/s while a picture is on its way, which a line of 64 kbit/s has beside the sound; a piece stays under the channel's 1 KiB. */
const walk: Pace = { width: 240, enough: 6, size: 960, every: 600 }
/** 1.6 kbit/s for a line that carries little but sound: a piece holds it up for 0.15 s of 32 kbit/s, a picture takes a quarter minute. */
const drip: Pace = { width: 160, enough: 5, size: 480, every: 3000 }

/** The pieces of a picture given as base64; empty when it is too large to be sent. */
export function cut(id: number, picture: string, size = walk.size): string[] {
  const count = Math.ceil(picture.length / size)
  if (count > maxPieces) return []
  return Array.from(
    { length: count },
    (_, n) => `${prefix}${id}:${n}:${count}:${picture.slice(n * size, (n + 1) * size)}`,
  )
}

/** Puts pieces together; gives a picture as soon as it is whole, once. */
export class Pieces {
  private readonly open = new Map<string, { id: number; parts: (string | undefined)[] }>()
  private readonly shown = new Map<string, number>()

  /** Undefined for what is no piece, for a piece that does not complete a picture, and for old ones. */
  add(seat: string, text: string): string | undefined {
    const found = /^still:(\d{1,9}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9+/=]{1,1000})$/.exec(text)
    if (!found) return undefined
    const [id, n, count] = [Number(found[1]), Number(found[2]), Number(found[3])]
    if (count < 1 || count > maxPieces || n >= count || id <= (this.shown.get(seat) ?? -1)) return undefined
    let picture = this.open.get(seat)
    if (picture && picture.id > id) return undefined
    if (!picture || picture.id < id || picture.parts.length !== count) {
      picture = { id, parts: Array.from({ length: count }) }
      this.open.set(seat, picture)
    }
    picture.parts[n] = found[4]
    if (picture.parts.some((part) => part === undefined)) return undefined
    this.shown.set(seat, id)
    this.open.delete(seat)
    return picture.parts.join('')
  }

  forget(seat: string): void {
    this.open.delete(seat)
    this.shown.delete(seat)
  }
}

export const isStill = (text: string) => text.startsWith(prefix)

/** Takes a still of a camera every few seconds while it is on, and sends it; the next when the last is on its way. */
export class Camera {
  private id = Math.floor(Date.now() / 1000) % 1_000_000_000
  private timer: ReturnType<typeof setTimeout> | undefined
  private sending: ReturnType<typeof setInterval> | undefined
  private video: HTMLVideoElement | undefined
  private track: MediaStreamTrack | undefined
  private pieces: string[] = []
  private taken = 0
  private pace = walk

  constructor(private readonly send: (piece: string) => boolean) {}

  /** Begins, or goes on at another pace from the next picture on, or with another camera. */
  start(track: MediaStreamTrack, thin: boolean): void {
    this.pace = thin ? drip : walk
    const video = this.video ?? document.createElement('video')
    if (track !== this.track) {
      video.muted = true
      video.playsInline = true
      video.srcObject = new MediaStream([track])
      void video.play().catch(() => undefined) // an ended track gives no picture, and none is sent
    }
    this.video = video
    this.track = track
    if (this.timer !== undefined) return
    const shoot = () => this.shoot(video)
    this.timer = setTimeout(() => {
      shoot()
      this.timer = setInterval(shoot, stillEvery)
    }, firstAfter)
  }

  stop(): void {
    clearInterval(this.timer)
    clearInterval(this.sending)
    this.timer = undefined
    this.pieces = []
    if (this.video) this.video.srcObject = null
    this.video = undefined
    this.track = undefined
  }

  private shoot(video: HTMLVideoElement): void {
    if (video !== this.video || video.videoWidth === 0) return
    if (this.pieces.length > 0 && Date.now() - this.taken < outdated) return
    const { width, enough, size, every } = this.pace
    const canvas = document.createElement('canvas')
    canvas.width = width
    canvas.height = Math.round((width * video.videoHeight) / video.videoWidth)
    canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height)
    for (const fineness of [0.5, 0.3, 0.15]) {
      this.pieces = cut(this.id + 1, canvas.toDataURL('image/jpeg', fineness).split(',')[1] ?? '', size)
      if (this.pieces.length > 0 && this.pieces.length <= enough) break
    }
    if (this.pieces.length === 0) return
    this.id++
    this.taken = Date.now()
    clearInterval(this.sending)
    this.sending = setInterval(() => {
      const [piece] = this.pieces
      if (piece === undefined) clearInterval(this.sending)
      else if (this.send(piece)) this.pieces.shift()
    }, every)
  }
}
