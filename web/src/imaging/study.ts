// The images of a series as DICOMweb describes them, in the order of anatomy.

type Attribute = { vr: string; Value?: unknown[] }
export type Instance = Record<string, Attribute>

const first = (instance: Instance, tag: string): unknown => instance[tag]?.Value?.[0]
const numbers = (instance: Instance, tag: string): number[] =>
  (instance[tag]?.Value ?? []).filter((value): value is number => typeof value === 'number')

export const sopOf = (instance: Instance): string => String(first(instance, '00080018') ?? '')

/** Distance along the normal of the slices (PS3.3 C.7.6.2.1.1); undefined without geometry. */
export function alongNormal(instance: Instance): number | undefined {
  const [rx, ry, rz, cx, cy, cz] = numbers(instance, '00200037')
  const [px, py, pz] = numbers(instance, '00200032')
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

/** One entry a frame: what the viewer steps through. */
export function pictures(study: string, series: string, instances: readonly Instance[]): Picture[] {
  return inOrder(instances).flatMap((instance) => {
    const sop = sopOf(instance)
    const frames = Math.max(1, Number(first(instance, '00280008') ?? 1))
    const root = `wadors:${location.origin}/dicomweb/studies/${study}/series/${series}/instances/${sop}/frames/`
    return Array.from({ length: frames }, (_, index) => ({
      sop,
      frame: index + 1,
      imageId: root + (index + 1),
      instance,
    }))
  })
}

/** The server does not show these images to the asker, or has none. */
export class NotForYou extends Error {}

export async function seriesMetadata(study: string, series: string, signal: AbortSignal): Promise<Instance[]> {
  const response = await fetch(`/dicomweb/studies/${study}/series/${series}/metadata`, {
    headers: { Accept: 'application/dicom+json' },
    signal,
  })
  if (response.status === 403 || response.status === 404) throw new NotForYou()
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
