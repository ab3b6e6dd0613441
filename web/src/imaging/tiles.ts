// Decoded tiles of a slide: those that are seen, fetched five at a time, and those seen before as far as the memory goes.
// A tile that will not open is remembered as such; nothing is put in its place.

/** What a tile was decoded to: an ImageBitmap, which holds its pixels until it is closed. */
export type Picture = { width: number; height: number; close: () => void }
type Wish = { id: string }

const atOnce = 5 // requests; a browser makes six to one host, and one is left for the deeds
const retryAfter = 2000 // ms

/** The answer is that there is no such picture: not asked for again. */
export class Unreadable extends Error {}

export class Tiles<T extends Wish, P extends Picture> {
  private readonly kept = new Map<string, P>() // longest unused first
  private readonly broken = new Set<string>()
  private readonly going = new Map<string, AbortController>()
  private wanted: readonly T[] = []
  private pinned = new Set<string>()
  private bytes = 0
  private closed = false

  constructor(
    private readonly load: (tile: T, signal: AbortSignal) => Promise<P>,
    private readonly tell: () => void,
    /** Bytes of decoded pixels that are held. */
    private readonly budget: number,
    private readonly later: (deed: () => void, ms: number) => void = (deed, ms) => void setTimeout(deed, ms),
  ) {}

  /** What is needed now, most needed first; what was on its way and is not seen any more is left. */
  want(tiles: readonly T[]): void {
    this.wanted = tiles
    this.pinned = new Set(tiles.map(({ id }) => id))
    for (const [id, stop] of this.going) if (!this.pinned.has(id)) stop.abort()
    this.fill()
  }

  of(id: string): P | undefined {
    const found = this.kept.get(id)
    if (found) {
      this.kept.delete(id)
      this.kept.set(id, found)
    }
    return found
  }

  isBroken(id: string): boolean {
    return this.broken.has(id)
  }

  held(): number {
    return this.bytes
  }

  close(): void {
    this.closed = true
    for (const stop of this.going.values()) stop.abort()
    for (const one of this.kept.values()) one.close()
    this.kept.clear()
    this.bytes = 0
  }

  private fill(): void {
    for (const tile of this.wanted) {
      if (this.closed || this.going.size >= atOnce) return
      if (!this.kept.has(tile.id) && !this.broken.has(tile.id) && !this.going.has(tile.id)) void this.fetch(tile)
    }
  }

  private async fetch(tile: T): Promise<void> {
    const stop = new AbortController()
    this.going.set(tile.id, stop)
    try {
      const made = await this.load(tile, stop.signal)
      if (this.closed || !this.pinned.has(tile.id)) return made.close()
      this.kept.set(tile.id, made)
      this.bytes += sizeOf(made)
      this.trim()
    } catch (error) {
      if (error instanceof Unreadable) this.broken.add(tile.id)
      // The line is down: the place is held for a while, so that a dead line is not hammered.
      else if (!stop.signal.aborted) await new Promise<void>((done) => this.later(done, retryAfter))
    } finally {
      this.going.delete(tile.id)
      if (!this.closed) {
        this.fill()
        this.tell()
      }
    }
  }

  /** What is seen stays; of the rest what was not looked at for longest goes. */
  private trim(): void {
    for (const [id, one] of this.kept) {
      if (this.bytes <= this.budget) return
      if (this.pinned.has(id)) continue
      this.kept.delete(id)
      this.bytes -= sizeOf(one)
      one.close()
    }
  }
}

const sizeOf = ({ width, height }: Picture) => width * height * 4
