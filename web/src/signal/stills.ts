// Still pictures over the reliable channel, for lines that carry no moving ones: a small JPEG in pieces, one after the other so
// that sound passes between them. Pieces of a newer picture replace those of an older one that are not sent yet.

const prefix = 'still:'
const pieceSize = 960 // characters: with its head it stays under the channel's 1 KiB
const maxPieces = 12
export const stillEvery = 5000 // ms
const pieceEvery = 600 // ms: 14 kbit/s while a picture is on its way, which a line of 64 kbit/s has beside the sound

/** The pieces of a picture given as base64; empty when it is too large to be sent. */
export function cut(id: number, picture: string): string[] {
  const count = Math.ceil(picture.length / pieceSize)
  if (count > maxPieces) return []
  return Array.from(
    { length: count },
    (_, n) => `${prefix}${id}:${n}:${count}:${picture.slice(n * pieceSize, (n + 1) * pieceSize)}`,
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

/** Takes a still of a camera every few seconds while it is on, and sends it. */
export class Camera {
  private id = Math.floor(Date.now() / 1000) % 1_000_000_000
  private timer: ReturnType<typeof setInterval> | undefined
  private sending: ReturnType<typeof setInterval> | undefined
  private video: HTMLVideoElement | undefined

  constructor(private readonly send: (piece: string) => boolean) {}

  start(track: MediaStreamTrack): void {
    if (this.timer !== undefined) return
    const video = document.createElement('video')
    video.muted = true
    video.playsInline = true
    video.srcObject = new MediaStream([track])
    void video.play().catch(() => undefined) // an ended track gives no picture, and none is sent
    this.video = video
    const shoot = () => this.shoot(video)
    this.timer = setInterval(shoot, stillEvery)
    setTimeout(shoot, 500)
  }

  stop(): void {
    clearInterval(this.timer)
    clearInterval(this.sending)
    this.timer = undefined
    if (this.video) this.video.srcObject = null
    this.video = undefined
  }

  private shoot(video: HTMLVideoElement): void {
    if (video !== this.video || video.videoWidth === 0) return
    const canvas = document.createElement('canvas')
    canvas.width = 240
    canvas.height = Math.round((240 * video.videoHeight) / video.videoWidth)
    canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height)
    let pieces: string[] = []
    for (const fineness of [0.5, 0.3, 0.15]) {
      pieces = cut(this.id + 1, canvas.toDataURL('image/jpeg', fineness).split(',')[1] ?? '')
      if (pieces.length > 0 && pieces.length <= 6) break
    }
    if (pieces.length === 0) return
    this.id++
    clearInterval(this.sending)
    this.sending = setInterval(() => {
      const [piece] = pieces
      if (piece === undefined) clearInterval(this.sending)
      else if (this.send(piece)) pieces.shift()
    }, pieceEvery)
  }
}
