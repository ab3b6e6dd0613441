// Small pictures of every slice, drawn by the server: what is seen within seconds on the worst line, before the
// originals. They are never for diagnosis; the screen says so on the pixels.
import { ask } from './archive'
import type { Voi } from './sight'
import type { Picture } from './study'

const atOnce = 5 // requests; a browser makes six to one host, and one is left for the deeds
const kept = 64 * 1024 * 1024 // bytes of pictures
const around = 20 // slices fetched in a window other than the image's own
const retryAfter = 2000 // ms

type Shown = { url: string; bytes: number }

export class Previews {
  private readonly own: Map<string, Shown> = new Map()
  private windowed: Map<string, Shown> = new Map()
  private readonly without = new Set<string>()
  private readonly going = new Map<string, AbortController>()
  private voi: Voi | undefined
  private at = 0
  private bytes = 0
  private resting = false
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly pictures: readonly Picture[],
    private readonly tell: () => void,
  ) {}

  /** The slice being read, and its window; fetching goes on around it. */
  want(index: number, voi: Voi | undefined): void {
    this.at = index
    if (voi?.center !== this.voi?.center || voi?.width !== this.voi?.width) {
      this.voi = voi
      for (const { url } of this.windowed.values()) URL.revokeObjectURL(url)
      this.windowed = new Map()
      for (const [id, stop] of this.going) if (id.includes('?')) stop.abort()
    }
    // A window is dragged through many values: fetch the one it comes to rest at.
    clearTimeout(this.timer)
    this.resting = voi !== undefined
    this.timer = setTimeout(() => {
      this.resting = false
      this.fill()
    }, 250)
    this.fill()
  }

  /** The preview of a slice in the wanted window, or in the image's own until that has come. */
  of(picture: Picture): string | undefined {
    return (this.windowed.get(picture.imageId) ?? this.own.get(picture.imageId))?.url
  }

  /** Nothing is left to fetch: the line is free for originals. */
  idle(): boolean {
    return this.going.size === 0
  }

  ready(): number {
    return this.own.size
  }

  close(): void {
    clearTimeout(this.timer)
    this.at = -1
    for (const stop of this.going.values()) stop.abort()
    for (const { url } of [...this.own.values(), ...this.windowed.values()]) URL.revokeObjectURL(url)
    this.own.clear()
    this.windowed.clear()
  }

  private next(): { picture: Picture; voi: Voi | undefined } | undefined {
    if (this.at < 0) return undefined
    const free = ({ imageId }: Picture, voi: Voi | undefined) =>
      !this.without.has(imageId) && !this.going.has(keyOf(imageId, voi))
    for (let away = 0; away < this.pictures.length; away++)
      for (const index of away === 0 ? [this.at] : [this.at + away, this.at - away]) {
        const picture = this.pictures[index]
        if (!picture) continue
        if (this.bytes < kept && !this.own.has(picture.imageId) && free(picture, undefined))
          return { picture, voi: undefined }
        const { voi } = this
        if (voi && !this.resting && away <= around && !this.windowed.has(picture.imageId) && free(picture, voi))
          return { picture, voi }
      }
    return undefined
  }

  private fill(): void {
    while (this.going.size < atOnce) {
      const next = this.next()
      if (!next) return
      void this.fetch(next.picture, next.voi)
    }
  }

  private async fetch(picture: Picture, voi: Voi | undefined): Promise<void> {
    const key = keyOf(picture.imageId, voi)
    const stop = new AbortController()
    this.going.set(key, stop)
    try {
      const response = await ask(addressOf(picture, voi), 'image/jpeg', stop.signal)
      if (response.ok) {
        const blob = await response.blob()
        if (this.at < 0) return
        const shown = { url: URL.createObjectURL(blob), bytes: blob.size }
        if (!voi) {
          this.own.set(picture.imageId, shown)
          this.bytes += shown.bytes
        } else if (voi === this.voi) this.windowed.set(picture.imageId, shown)
        else URL.revokeObjectURL(shown.url)
      } else this.without.add(picture.imageId) // nothing the server can draw: the original is waited for
    } catch {
      // Taken back, or the line is down: the slot is held for a while, so that a dead line is not hammered.
      if (!stop.signal.aborted) await new Promise((done) => setTimeout(done, retryAfter))
    } finally {
      this.going.delete(key)
      this.fill()
      if (this.at >= 0) this.tell()
    }
  }
}

const keyOf = (imageId: string, voi: Voi | undefined) => (voi ? `${imageId}?${voi.center},${voi.width}` : imageId)

/** WADO-RS rendered (PS3.18 §8.3.5). */
export function addressOf({ imageId }: Picture, voi: Voi | undefined): string {
  const asked = new URLSearchParams({ quality: '40', viewport: '512,512' })
  if (voi) asked.set('window', `${voi.center},${voi.width},linear`)
  return `${imageId.replace(/^wadors:/, '')}/rendered?${asked}`
}
