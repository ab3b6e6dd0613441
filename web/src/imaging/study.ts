// The images of a series as DICOMweb describes them, in the order of anatomy.
import { archive, ask } from './archive'
import type { Plane, Voi } from './sight'

type Attribute = { vr: string; Value?: unknown[]; InlineBinary?: string; BulkDataURI?: string }
export type Instance = Record<string, Attribute>

const first = (instance: Instance, tag: string): unknown => instance[tag]?.Value?.[0]
export const numbersOf = (instance: Instance, tag: string): number[] =>
  (instance[tag]?.Value ?? []).filter((value): value is number => typeof value === 'number')

/** The first value as text; of a person's name what can be read best (PS3.18 F.2.2): the characters, else the letters. */
export function textOf(instance: Instance, tag: string): string {
  const value = first(instance, tag)
  if (typeof value !== 'object' || value === null) return value === undefined || value === null ? '' : String(value)
  const { Ideographic, Alphabetic } = value as { Ideographic?: string; Alphabetic?: string }
  return (Ideographic || Alphabetic || '').replace(/\^+/g, ' ').trim()
}

/** A date of DICOM (DA) for the eye; nothing where it is none. */
export const dateOf = (text: string): string =>
  /^\d{8}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : ''

export const sopOf = (instance: Instance): string => textOf(instance, '00080018')

/** Distance along the normal of the slices (PS3.3 C.7.6.2.1.1); undefined without geometry. */
export function alongNormal(instance: Instance): number | undefined {
  const [rx, ry, rz, cx, cy, cz] = numbersOf(instance, '00200037')
  const [px, py, pz] = numbersOf(instance, '00200032')
  if (
    rx === undefined ||
    ry === undefined ||
    rz === undefined ||
    cx === undefined ||
    cy === undefined ||
    cz === undefined
  )
    return undefined
  if (px === undefined || py === undefined || pz === undefined) return undefined
  return px * (ry * cz - rz * cy) + py * (rz * cx - rx * cz) + pz * (rx * cy - ry * cx)
}

/** By position where all have one, else by instance number. */
export function inOrder(instances: readonly Instance[]): Instance[] {
  const placed = instances.map((instance) => ({
    instance,
    place: alongNormal(instance),
    number: Number(first(instance, '00200013') ?? 0),
  }))
  const geometric =
    placed.every(({ place }) => place !== undefined) && new Set(placed.map(({ place }) => place)).size === placed.length
  return placed
    .sort((a, b) => (geometric ? (a.place ?? 0) - (b.place ?? 0) : a.number - b.number))
    .map(({ instance }) => instance)
}

export type Picture = { sop: string; frame: number; imageId: string; instance: Instance }

export const items = (instance: Instance, tag: string): Instance[] =>
  (instance[tag]?.Value ?? []).filter((value): value is Instance => typeof value === 'object' && value !== null)

/** An attribute of a frame: in the data set, or in the functional groups of an enhanced object (PS3.3 C.7.6.16). */
export function framed(instance: Instance, frame: number, macro: string, tag: string): number[] {
  const plain = numbersOf(instance, tag)
  if (plain.length > 0) return plain
  const groups = [items(instance, '52009230')[frame - 1], items(instance, '52009229')[0]]
  for (const group of groups) {
    const found = group && items(group, macro)[0]
    const values = found ? numbersOf(found, tag) : []
    if (values.length > 0) return values
  }
  return []
}

/**
 * The grid of an image and its scale. Millimetres are those in the patient, Pixel Spacing (0028,0030); the spacing at
 * a detector magnifies and is no measure.
 */
export function planeOf({ instance, frame }: Pick<Picture, 'instance' | 'frame'>): Plane {
  const [drawnDown, drawnAcross] = numbersOf(instance, '00280030') // as the renderer draws it
  const [down, across] = framed(instance, frame, '00289110', '00280030')
  return {
    columns: Math.max(1, Number(first(instance, '00280011') ?? 1)),
    rows: Math.max(1, Number(first(instance, '00280010') ?? 1)),
    across: drawnAcross || 1,
    down: drawnDown || 1,
    mm: down && across ? { across, down } : undefined,
  }
}

/** The image's own window, the first of several; undefined where it names none. */
export function windowOf({ instance, frame }: Pick<Picture, 'instance' | 'frame'>): Voi | undefined {
  const [center] = framed(instance, frame, '00289132', '00281050')
  const [width] = framed(instance, frame, '00289132', '00281051')
  return center !== undefined && width !== undefined && width > 0 ? { center, width } : undefined
}

/** A report or a set of marks is an instance too, and no picture. */
export const hasPixels = (instance: Instance) => Number(first(instance, '00280010') ?? 0) > 0

/** Bytes of a decoded original: samples of 8 or 16 bits, colour with a fourth channel. */
export function bytesOf({ instance }: Pick<Picture, 'instance'>): number {
  const plane = planeOf({ instance, frame: 1 })
  const samples = Number(first(instance, '00280002') ?? 1) > 1 ? 4 : 1
  return plane.columns * plane.rows * samples * (Number(first(instance, '00280100') ?? 16) > 8 ? 2 : 1)
}

/** What images may take of this computer's memory: an eighth, 512 MB of the reference PC's 4 GB. */
export function memoryBudget(gigabytes: number | undefined): number {
  return Math.min(1000, Math.max(128, (gigabytes ?? 4) * 128)) * 1e6
}

/** One entry a frame: what the viewer steps through. */
export function pictures(study: string, series: string, instances: readonly Instance[]): Picture[] {
  return inOrder(instances).flatMap((instance) => {
    const sop = sopOf(instance)
    const frames = Math.max(1, Number(first(instance, '00280008') ?? 1))
    return Array.from({ length: frames }, (_, index) => ({
      sop,
      frame: index + 1,
      imageId: archiveFrame(study, series, sop, index + 1),
      instance,
    }))
  })
}

/** A frame by the name that the decoders know it by. */
export const archiveFrame = (study: string, series: string, sop: string, frame: number): string =>
  `wadors:${archive(`/studies/${study}/series/${series}/instances/${sop}/frames/${frame}`)}`

/** The server does not show these images to the asker, or has none. */
export class NotForYou extends Error {}

export async function seriesMetadata(study: string, series: string, signal: AbortSignal): Promise<Instance[]> {
  const response = await ask(`/studies/${study}/series/${series}/metadata`, 'application/dicom+json', signal)
  if (response.status === 401 || response.status === 403 || response.status === 404) throw new NotForYou()
  if (!response.ok) throw new Error(`metadata answered ${response.status}`)
  const body: unknown = await response.json()
  return Array.isArray(body) ? (body as Instance[]) : []
}

export type Preset = 'default' | 'lung' | 'soft' | 'bone' | 'brain' | 'liver'
export const presets: Record<Exclude<Preset, 'default'>, { center: number; width: number }> = {
  lung: { center: -600, width: 1500 },
  soft: { center: 40, width: 400 },
  bone: { center: 300, width: 1500 },
  brain: { center: 40, width: 80 },
  liver: { center: 60, width: 160 },
}
