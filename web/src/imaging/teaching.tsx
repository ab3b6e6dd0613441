// A study let out for teaching, without whose it is: series by series, and only after somebody has looked through the
// pictures of those that may show text.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import { moment } from '../i18n/format'
import { Button, Loading, Notice, ProblemNote, Tick } from '../ui/parts'
import { archive, ask } from './archive'
import { w } from './words'

export type Part = {
  series_uid: string
  modality: string
  description: string
  objects: number
  left_out: number
  review: boolean
}

type Out = { id: string; objects: number; until: string }

/** What is chosen of a series: to go out, and looked through. */
export type Choice = { out: boolean; seen: boolean }

/** Whether what is chosen can go out: something is, and nothing unseen that has to be seen. */
export function ready(parts: Part[], chosen: Record<string, Choice>): boolean {
  const out = parts.filter((part) => chosen[part.series_uid]?.out)
  return out.length > 0 && out.every((part) => !part.review || chosen[part.series_uid]?.seen)
}

export function Teaching({ study }: { study: string }) {
  const at = `/imaging/studies/${study}/teaching`
  const found = useResource(`teaching ${study}`, (signal) => get<Part[]>(at, signal))
  const deed = useDeed()
  const [chosen, setChosen] = useState<Record<string, Choice>>({})
  const [out, setOut] = useState<Out>()
  const parts = found.value ?? []
  const set = (uid: string, choice: Partial<Choice>) => {
    setOut(undefined)
    setChosen((now) => ({ ...now, [uid]: { out: false, seen: false, ...now[uid], ...choice } }))
  }
  const send = () =>
    void deed.run(async () => {
      const series = parts
        .filter((part) => chosen[part.series_uid]?.out)
        .map(({ series_uid, objects }) => ({ series_uid, objects, seen: chosen[series_uid]?.seen ?? false }))
      setOut(await post<Out>(at, { series }))
    })
  return (
    <div class="stack" data-test="teaching">
      <p class="meta">{w('teach.text')}</p>
      <ProblemNote problem={deed.problem ?? found.problem} again={found.refresh} />
      {found.loading && !found.value && <Loading />}
      <ul class="plain stack">
        {parts.map((part) => (
          <SeriesCard
            key={part.series_uid}
            study={study}
            part={part}
            choice={chosen[part.series_uid] ?? { out: false, seen: false }}
            onChoose={(choice) => set(part.series_uid, choice)}
          />
        ))}
      </ul>
      <div class="row">
        <Button look="primary" busy={deed.busy} disabled={!ready(parts, chosen)} onPress={send} test="teach">
          {w('teach.do')}
        </Button>
      </div>
      {out && (
        <div data-test="taught">
          <Notice tone="ok" title={w('teach.done', { n: out.objects })}>
            <p class="meta">{w('teach.until', { at: moment(out.until) })}</p>
            <a class="button" href={`/api/v1/imaging/teaching/${out.id}`} download="teaching.zip">
              {w('teach.fetch')}
            </a>
          </Notice>
        </div>
      )}
    </div>
  )
}

type CardProps = { study: string; part: Part; choice: Choice; onChoose: (choice: Partial<Choice>) => void }

function SeriesCard({ study, part, choice, onChoose }: CardProps) {
  const [looking, setLooking] = useState(false)
  return (
    <li class="card" data-test="teach-series">
      <strong>{`${part.modality} ${part.description}`.trim() || w('teach.unnamed')}</strong>
      <span class="meta">
        {w('teach.count', { n: part.objects })}
        {part.left_out > 0 && ` ${w('teach.left', { n: part.left_out })}`}
      </span>
      {part.objects > 0 && (
        <Tick label={w('teach.take')} checked={choice.out} onChange={(value) => onChoose({ out: value })} />
      )}
      {part.objects > 0 && part.review && choice.out && (
        <>
          <p>{w('teach.review')}</p>
          {!looking && (
            <div class="row">
              <Button onPress={() => setLooking(true)} test="teach-look">
                {w('teach.look', { n: part.objects })}
              </Button>
            </div>
          )}
          {looking && <Pictures study={study} series={part.series_uid} />}
          {looking && (
            <Tick label={w('teach.seen')} checked={choice.seen} onChange={(value) => onChoose({ seen: value })} />
          )}
        </>
      )}
    </li>
  )
}

type Instances = Record<string, { Value?: (string | number)[] }>[]

/** The address of every picture of a series, frame by frame, in its order. */
async function pictures(study: string, series: string, signal: AbortSignal): Promise<string[]> {
  const all: string[] = []
  for (let offset = 0; ; ) {
    const path = `/studies/${study}/series/${series}/instances?limit=200&offset=${offset}`
    const answer = await ask(path, 'application/dicom+json', signal)
    if (!answer.ok) throw new Error(`${answer.status}`)
    const found = (await answer.json()) as Instances
    for (const one of found) {
      const at = archive(`/studies/${study}/series/${series}/instances/${one['00080018']?.Value?.[0]}`)
      const frames = Number(one['00280008']?.Value?.[0] ?? 1)
      for (let n = 1; n <= frames; n++) all.push(`${at}/frames/${n}/rendered?viewport=512,512`)
    }
    if (found.length < 200) return all
    offset += found.length
  }
}

function Pictures({ study, series }: { study: string; series: string }) {
  const found = useResource(`pictures ${series}`, (signal) => pictures(study, series, signal))
  return (
    <>
      <ProblemNote problem={found.problem} again={found.refresh} />
      {found.loading && !found.value && <Loading />}
      <div class="pictures" data-test="teach-pictures">
        {found.value?.map((at, n) => (
          <img key={at} src={at} loading="lazy" alt={w('teach.picture', { n: n + 1, m: found.value?.length ?? 0 })} />
        ))}
      </div>
    </>
  )
}
