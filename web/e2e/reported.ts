// What was measured, as the archive gives it back: the numbers of the structured report that lies in the study.
import { type House, until } from './house'
import type { Person } from './people'

type Items = { [tag: string]: { Value?: unknown[] } }
export type Measure = { what: string; value: number; unit: string }
export type Shape = { points: number[]; plane: string; frames: number }

const values = (items: Items, tag: string) => (items[tag]?.Value ?? []) as Items[]
const first = (items: Items | undefined, tag: string) => items?.[tag]?.Value?.[0]

/** Waits for the report (TID 1500) of a study; every number in it, and every shape with what its points count in. */
export async function reported(
  house: House,
  person: Person,
  study: string,
): Promise<{ numbers: Measure[]; shapes: Shape[] }> {
  const at = `/dicomweb/studies/${study}/series`
  const [report] = await until('the report lies in the study', async () => {
    const list = await house.call(person.session, 'GET', `${at}?Modality=SR`)
    const uid = Array.isArray(list.body) && first((list.body as Items[])[0], '0020000E')
    if (typeof uid !== 'string') return undefined
    const found = await house.call(person.session, 'GET', `${at}/${uid}/metadata`)
    return Array.isArray(found.body) && (found.body as Items[])
  })
  const numbers: Measure[] = []
  const shapes: Shape[] = []
  const walk = (items: Items) => {
    const [number] = values(items, '0040A300')
    if (number)
      numbers.push({
        what: String(first(values(items, '0040A043')[0], '00080104')),
        value: Number(first(number, '0040A30A')),
        unit: String(first(values(number, '004008EA')[0], '00080100')),
      })
    if (items['00700022']) {
      const images = values(items, '0040A730').flatMap((one) => values(one, '00081199'))
      shapes.push({
        points: (items['00700022'].Value ?? []).map(Number),
        plane: String(first(items, '00480301') ?? ''),
        frames: images.filter((one) => one['00081160']).length,
      })
    }
    for (const { Value = [] } of Object.values(items))
      for (const inner of Value) if (typeof inner === 'object' && inner !== null) walk(inner as Items)
  }
  walk(report ?? {})
  return { numbers, shapes }
}

/** The lengths of a study's report, as a screen says them. */
export async function reportedLengths(house: House, person: Person, study: string): Promise<string[]> {
  const { numbers } = await reported(house, person, study)
  return numbers
    .filter(({ what, unit }) => what === 'Length' && unit === 'mm')
    .map(({ value }) => `${value.toFixed(1)} mm`)
    .sort()
}

/** Waits for the selection (TID 2010) of a study: the objects it names, and which frames of them. */
export async function selected(
  house: House,
  person: Person,
  study: string,
): Promise<{ sop: string; frames: number[] }[]> {
  const at = `/dicomweb/studies/${study}/series`
  const [selection] = await until('the selection lies in the study', async () => {
    const list = await house.call(person.session, 'GET', `${at}?Modality=KO`)
    const uid = Array.isArray(list.body) && first((list.body as Items[])[0], '0020000E')
    if (typeof uid !== 'string') return undefined
    const found = await house.call(person.session, 'GET', `${at}/${uid}/metadata`)
    return Array.isArray(found.body) && (found.body as Items[])
  })
  return values(selection ?? {}, '0040A730').flatMap((item) =>
    values(item, '00081199').map((of) => ({
      sop: String(first(of, '00081155')),
      frames: (of['00081160']?.Value ?? []).map(Number),
    })),
  )
}
