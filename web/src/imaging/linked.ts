// Two series scrolled as one: by where their slices lie in the patient when both count in one frame of reference, else
// as far apart as they stood when the reader tied them together.
import type { Tied } from './share'
import type { Voi } from './sight'
import { framed, type Picture, textOf } from './study'

type Vector = readonly [number, number, number]
const dot = (a: Vector, b: Vector) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

/** A slice in space (PS3.3 C.7.6.2.1.1): its first pixel and its normal, in mm of a frame of reference. */
export type Place = { reference: string; at: Vector; normal: Vector }

export function placeOf({ instance, frame }: Picture): Place | undefined {
  const [rx, ry, rz, cx, cy, cz] = framed(instance, frame, '00209116', '00200037')
  const [x, y, z] = framed(instance, frame, '00209113', '00200032')
  if (rx === undefined || ry === undefined || rz === undefined || x === undefined || y === undefined) return undefined
  if (cx === undefined || cy === undefined || cz === undefined || z === undefined) return undefined
  const normal = [ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx] as const
  return { reference: textOf(instance, '00200052'), at: [x, y, z], normal }
}

const parallel = (a: Place, b: Place) => Math.abs(dot(a.normal, b.normal)) > 0.95 // 18°

/** `mm` and `slices` are how far the second series stands from the first. */
export type Way = { by: 'position' } | { by: 'offset'; mm: number } | { by: 'slices'; slices: number } | { by: 'none' }
export type Standing = { pictures: readonly Picture[]; index: number }

/** How two series can be scrolled as one, from where they stand. */
export function wayBetween(one: Standing, other: Standing): Way {
  const [here, there] = [one, other].map(({ pictures, index }) => pictures[index] && placeOf(pictures[index]))
  if (!here || !there) return { by: 'slices', slices: other.index - one.index }
  if (!parallel(here, there)) return { by: 'none' }
  if (here.reference !== '' && here.reference === there.reference) return { by: 'position' }
  return { by: 'offset', mm: dot(there.at, here.normal) - dot(here.at, here.normal) }
}

/**
 * The slice of `to` that belongs to the one that `from` stands on; undefined where none does. `turned` when `from` is
 * the second series of the way.
 */
export function counterpart(way: Way, from: Standing, to: readonly Picture[], turned: boolean): number | undefined {
  if (way.by === 'none' || to.length === 0) return undefined
  if (way.by === 'slices') {
    const index = from.index + (turned ? -way.slices : way.slices)
    return Math.min(to.length - 1, Math.max(0, index))
  }
  const picture = from.pictures[from.index]
  const here = picture && placeOf(picture)
  if (!here) return undefined
  const places = to.map(placeOf)
  // The offset counts along the normal of the first series; the second's may look the other way.
  const first = turned ? places.find((one) => one !== undefined && parallel(one, here)) : here
  if (!first) return undefined
  const mm = way.by === 'offset' ? way.mm : 0
  const wanted = dot(here.at, first.normal) + (turned ? -mm : mm)
  let best: number | undefined
  let away = Number.POSITIVE_INFINITY
  places.forEach((place, index) => {
    if (!place || !parallel(place, here)) return
    const far = Math.abs(dot(place.at, first.normal) - wanted)
    if (far < away - 1e-6) [best, away] = [index, far]
  })
  return best
}

export type Side = 'main' | 'beside'

/** One of the two viewers. */
export type Reader = {
  pictures: readonly Picture[]
  index: () => number
  voi: () => Voi | undefined
  /** Goes there without telling back. */
  go: (index: number, voi: Voi | undefined) => void
}

/** Ties two viewers: what one does the other does, as far as the reader wants it. */
export class Link {
  way: Way = { by: 'none' }
  scroll = true
  window = false
  private led = false
  private readonly readers = new Map<Side, Reader>()

  /** `tell` hears when the way between the two has changed. */
  constructor(private readonly tell: () => void) {}

  join(side: Side, reader: Reader): () => void {
    this.readers.set(side, reader)
    this.begin()
    return () => {
      if (this.readers.get(side) === reader) this.readers.delete(side)
    }
  }

  /** Ties anew, from where both stand now. */
  tie(scroll: boolean, window: boolean): void {
    const begins = scroll && !this.scroll
    this.scroll = scroll
    this.window = window
    if (begins) this.begin()
    else if (window) this.moved('main')
    this.tell()
  }

  tied(): Tied {
    return { scroll: this.scroll, window: this.window, way: this.way }
  }

  /** Both go where a presenter says, tied as theirs are; undefined: as ours, from there on. */
  lead(tied: Tied | undefined): void {
    this.led = tied !== undefined
    if (!tied) return
    const same = JSON.stringify(tied) === JSON.stringify(this.tied())
    Object.assign(this, tied)
    if (!same) this.tell()
  }

  /** One of the two was moved by the reader's own hand: the other goes along again. */
  free(side: Side): void {
    if (!this.led) return
    this.led = false
    this.moved(side)
  }

  moved(side: Side): void {
    if (this.led) return
    const [from, to] = [this.readers.get(side), this.readers.get(side === 'main' ? 'beside' : 'main')]
    if (!from || !to || to.pictures.length === 0) return
    const standing = { pictures: from.pictures, index: from.index() }
    const wanted = this.scroll ? counterpart(this.way, standing, to.pictures, side === 'beside') : undefined
    const index = wanted ?? to.index()
    const voi = this.window ? from.voi() : to.voi()
    if (index !== to.index() || voi !== to.voi()) to.go(index, voi)
  }

  private begin(): void {
    if (this.led) return
    const [main, beside] = [this.readers.get('main'), this.readers.get('beside')]
    if (!main || !beside || main.pictures.length === 0 || beside.pictures.length === 0) return
    const standing = ({ pictures, index }: Reader) => ({ pictures, index: index() })
    this.way = wayBetween(standing(main), standing(beside))
    this.moved('main')
    this.tell()
  }
}
