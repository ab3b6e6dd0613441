// A study let out for teaching, without whose it is: a doctor asks, series by series; a second one looks through the pictures
// that may show text, blanks what names somebody, and lets each series out or not.
import { useRef, useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { StudyRow } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, Tick, useTitle } from '../ui/parts'
import { archive, ask } from './archive'
import { type Box, boxOf, clip } from './box'
import { OtherBytes } from './other_bytes'
import { w } from './words'

export type Part = {
  series_uid: string
  modality: string
  description: string
  objects: number
  left_out: number
  review: boolean
}

export type Teaching = {
  id: string
  state: 'asked' | 'ready' | 'refused' | 'ended'
  study_uid: string
  series: string[]
  review: string[]
  objects: number
  asked_by: string
  asked_at: string
  reviewed_by?: string
  mine: boolean
  until: string
}

const tone = { asked: 'warn', ready: 'ok', refused: 'danger', ended: 'plain' } as const

/** What the hospital let out, what waits for a second look, and a new one. */
export function TeachingPage() {
  const list = useResource('teaching', (signal) => get<Teaching[]>('/imaging/teaching', signal))
  const studies = useResource('studies', (signal) => get<StudyRow[]>('/imaging/studies', signal))
  const [asking, setAsking] = useState<string>()
  const [looking, setLooking] = useState<Teaching>()
  useTitle(w('teach.title'))
  const described = (uid: string) => {
    const found = studies.value?.find((one) => one.study_uid === uid)
    return found ? `${found.modalities.join('/')} ${found.description} ${found.study_date}`.trim() : w('teach.study')
  }
  return (
    <main class="column paper" id="content" data-test="teaching-page">
      <h1>{w('teach.title')}</h1>
      <p class="meta">{w('teach.text')}</p>
      <ProblemNote problem={list.problem ?? studies.problem} again={list.refresh} />
      {!list.value && !list.problem && <Loading />}
      {list.value?.length === 0 && <p>{w('teach.none')}</p>}
      {list.value?.map((one) => (
        <section key={one.id} class="card" data-test="export" data-state={one.state}>
          <div class="top">
            <h2>{described(one.study_uid)}</h2>
            <span class={`tag ${tone[one.state]}`}>{w(`teach.${one.state}`)}</span>
          </div>
          <p class="meta">
            {w('teach.asked.by', { name: one.asked_by, at: moment(one.asked_at) })} ·{' '}
            {w('teach.count', { n: one.objects })}
            {one.reviewed_by && ` · ${w('teach.looked.by', { name: one.reviewed_by })}`}
          </p>
          <div class="row">
            {one.state === 'asked' && !one.mine && (
              <Button look="primary" onPress={() => setLooking(one)} test="review-export">
                {w('teach.review.open')}
              </Button>
            )}
            {one.state === 'asked' && one.mine && <span class="meta">{w('teach.second')}</span>}
            {one.state === 'ready' && <Fetch one={one} />}
          </div>
        </section>
      ))}
      <section class="stack">
        <h2>{w('teach.new')}</h2>
        {studies.value?.length === 0 && <p>{w('teach.nostudy')}</p>}
        <div class="queue">
          {studies.value?.map((one) => (
            <button key={one.study_uid} type="button" onClick={() => setAsking(one.study_uid)} data-test="teach-study">
              <span class="top">
                <span>
                  {one.modalities.join('/')} {one.description}
                </span>
              </span>
              <span class="meta">
                {one.study_date} · {w('img.count', { n: one.instances })}
              </span>
              <OtherBytes study={one} />
            </button>
          ))}
        </div>
      </section>
      {asking && (
        <Dialog title={w('teach.open')} onClose={() => setAsking(undefined)}>
          <AskTeaching study={asking} onAsked={list.refresh} />
        </Dialog>
      )}
      {looking && (
        <Dialog title={w('teach.review.open')} onClose={() => setLooking(undefined)} wide>
          <Review
            one={looking}
            onDone={() => {
              setLooking(undefined)
              list.refresh()
            }}
          />
        </Dialog>
      )}
    </main>
  )
}

function Fetch({ one }: { one: Teaching }) {
  return (
    <>
      <a class="button" href={`/api/v1/imaging/teaching/${one.id}`} download="teaching.zip" data-test="fetch-export">
        {w('teach.fetch')}
      </a>
      <span class="meta">{w('teach.until', { at: moment(one.until) })}</span>
    </>
  )
}

/** Asks to let series of one study out. */
export function AskTeaching({ study, onAsked }: { study: string; onAsked?: () => void }) {
  const at = `/imaging/studies/${study}/teaching`
  const found = useResource(`teaching ${study}`, (signal) => get<Part[]>(at, signal))
  const deed = useDeed()
  const [chosen, setChosen] = useState<string[]>([])
  const [out, setOut] = useState<Teaching>()
  const parts = found.value ?? []
  const send = () =>
    void deed.run(async () => {
      const series = parts
        .filter((part) => chosen.includes(part.series_uid))
        .map(({ series_uid, objects }) => ({ series_uid, objects }))
      setOut(await post<Teaching>(at, { series }))
      onAsked?.()
    })
  return (
    <div class="stack" data-test="teaching">
      <p class="meta">{w('teach.text')}</p>
      <ProblemNote problem={deed.problem ?? found.problem} again={found.refresh} />
      {found.loading && !found.value && <Loading />}
      <ul class="plain stack">
        {parts.map((part) => (
          <li class="card" key={part.series_uid} data-test="teach-series">
            <strong>{`${part.modality} ${part.description}`.trim() || w('teach.unnamed')}</strong>
            <span class="meta">
              {w('teach.count', { n: part.objects })}
              {part.left_out > 0 && ` ${w('teach.left', { n: part.left_out })}`}
            </span>
            {part.objects > 0 && (
              <Tick
                label={w('teach.take')}
                note={part.review ? w('teach.review') : undefined}
                checked={chosen.includes(part.series_uid)}
                onChange={(on) => {
                  setOut(undefined)
                  setChosen((now) => (on ? [...now, part.series_uid] : now.filter((uid) => uid !== part.series_uid)))
                }}
              />
            )}
          </li>
        ))}
      </ul>
      <div class="row">
        <Button look="primary" busy={deed.busy} disabled={chosen.length === 0} onPress={send} test="teach">
          {w('teach.do')}
        </Button>
      </div>
      {out && (
        <div data-test="taught" data-state={out.state}>
          {out.state === 'ready' ? (
            <Notice tone="ok" title={w('teach.done', { n: out.objects })}>
              <Fetch one={out} />
            </Notice>
          ) : (
            <Notice tone="info" title={w('teach.sent')}>
              <a href="/staff/teaching">{w('teach.title')}</a>
            </Notice>
          )}
        </div>
      )}
    </div>
  )
}

/** Of a series: looked through and let out, with what is blanked in all its pictures. */
type Verdict = { looked: boolean; out: boolean; masks: Box[] }
const nothing: Verdict = { looked: false, out: false, masks: [] }

function Review({ one, onDone }: { one: Teaching; onDone: () => void }) {
  const [verdicts, setVerdicts] = useState<Record<string, Verdict>>({})
  const deed = useDeed()
  const of = (uid: string) => verdicts[uid] ?? nothing
  const set = (uid: string, change: Partial<Verdict>) =>
    setVerdicts((now) => ({ ...now, [uid]: { ...nothing, ...now[uid], ...change } }))
  const out = one.review.filter((uid) => of(uid).out)
  return (
    <div class="stack" data-test="review">
      <p>{w('teach.review.text')}</p>
      {one.review.map((uid, n) => (
        <section key={uid} class="card" data-test="review-series">
          <h3>{w('teach.series', { n: n + 1, m: one.review.length })}</h3>
          {of(uid).looked ? (
            <>
              <Pictures
                study={one.study_uid}
                series={uid}
                masks={of(uid).masks}
                onMasks={(masks) => set(uid, { masks })}
              />
              <Tick
                label={w('teach.seen')}
                checked={of(uid).out}
                onChange={(value) => set(uid, { out: value })}
                test="seen"
              />
            </>
          ) : (
            <div class="row">
              <Button onPress={() => set(uid, { looked: true })} test="teach-look">
                {w('teach.look')}
              </Button>
            </div>
          )}
        </section>
      ))}
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <Button
          look={out.length > 0 ? 'primary' : 'danger'}
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              const series = out.map((uid) => ({ series_uid: uid, masks: of(uid).masks }))
              await post<Teaching>(`/imaging/teaching/${one.id}/review`, { series })
              onDone()
            })
          }
          test="review-done"
        >
          {out.length > 0 ? w('teach.release', { n: out.length }) : w('teach.refuse')}
        </Button>
      </div>
    </div>
  )
}

type Instances = Record<string, { Value?: (string | number)[] }>[]
type Shown = { at: string; columns: number; rows: number }

/** Every picture of a series, frame by frame, in its order. */
async function pictures(study: string, series: string, signal: AbortSignal): Promise<Shown[]> {
  const all: Shown[] = []
  for (let offset = 0; ; ) {
    const path = `/studies/${study}/series/${series}/instances?limit=200&offset=${offset}`
    const answer = await ask(path, 'application/dicom+json', signal)
    if (!answer.ok) throw new Error(`${answer.status}`)
    const found = (await answer.json()) as Instances
    for (const one of found) {
      const at = archive(`/studies/${study}/series/${series}/instances/${one['00080018']?.Value?.[0]}`)
      const number = (tag: string) => Number(one[tag]?.Value?.[0] ?? 0)
      for (let n = 1; n <= (number('00280008') || 1); n++)
        all.push({
          at: `${at}/frames/${n}/rendered?viewport=512,512`,
          columns: number('00280011'),
          rows: number('00280010'),
        })
    }
    if (found.length < 200) return all
    offset += found.length
  }
}

type PicturesProps = { study: string; series: string; masks: Box[]; onMasks: (masks: Box[]) => void }

function Pictures({ study, series, masks, onMasks }: PicturesProps) {
  const found = useResource(`pictures ${series}`, (signal) => pictures(study, series, signal))
  const first = found.value?.[0]
  return (
    <>
      <ProblemNote problem={found.problem} again={found.refresh} />
      {found.loading && !found.value && <Loading />}
      <p class="meta">{w('teach.mask.how')}</p>
      {first && <ByNumbers picture={first} onAdd={(box) => onMasks([...masks, box])} />}
      {masks.length > 0 && (
        <ul class="bare" data-test="masks">
          {masks.map((box, n) => (
            <li key={`${box.x} ${box.y} ${box.width} ${box.height}`} class="row">
              <span class="grow">{w('teach.mask.one', { ...box })}</span>
              <Button look="quiet" onPress={() => onMasks(masks.filter((_, other) => other !== n))}>
                {w('teach.mask.drop')}
              </Button>
            </li>
          ))}
        </ul>
      )}
      <div class="pictures" data-test="teach-pictures">
        {found.value?.map((picture, n) => (
          <Picture
            key={picture.at}
            picture={picture}
            label={w('teach.picture', { n: n + 1, m: found.value?.length ?? 0 })}
            masks={masks}
            onBox={(box) => onMasks([...masks, box])}
          />
        ))}
      </div>
    </>
  )
}

type PictureProps = { picture: Shown; label: string; masks: Box[]; onBox: (box: Box) => void }
type Point = { x: number; y: number }

/** One picture; a drag over it makes a box. */
function Picture({ picture, label, masks, onBox }: PictureProps) {
  const at = useRef<HTMLDivElement>(null)
  const [from, setFrom] = useState<Point>()
  const [to, setTo] = useState<Point>()
  const { columns, rows } = picture
  const point = (event: PointerEvent): Point => {
    const frame = at.current?.getBoundingClientRect()
    return frame
      ? { x: (event.clientX - frame.x) / frame.width, y: (event.clientY - frame.y) / frame.height }
      : { x: 0, y: 0 }
  }
  const drawing = from && to && boxOf(from, to, columns, rows)
  return (
    <div
      ref={at}
      class="picture"
      onPointerDown={(event) => {
        event.preventDefault()
        event.currentTarget.setPointerCapture(event.pointerId)
        setFrom(point(event))
        setTo(point(event))
      }}
      onPointerMove={(event) => from && setTo(point(event))}
      onPointerUp={() => {
        if (drawing && drawing.width > 2 && drawing.height > 2) onBox(drawing)
        setFrom(undefined)
        setTo(undefined)
      }}
      onPointerCancel={() => setFrom(undefined)}
    >
      <img src={picture.at} loading="lazy" draggable={false} alt={label} />
      {[...masks, ...(drawing ? [drawing] : [])].map((box) => (
        <span
          key={`${box.x} ${box.y} ${box.width} ${box.height}`}
          class="mask"
          style={{
            left: `${(box.x / columns) * 100}%`,
            top: `${(box.y / rows) * 100}%`,
            width: `${(box.width / columns) * 100}%`,
            height: `${(box.height / rows) * 100}%`,
          }}
        />
      ))}
    </div>
  )
}

/** The same without a drag: left, top, width and height in pixels. */
function ByNumbers({ picture, onAdd }: { picture: Shown; onAdd: (box: Box) => void }) {
  const [text, setText] = useState({ x: '0', y: '0', width: String(picture.columns), height: '40' })
  const box = clip(
    { x: Number(text.x), y: Number(text.y), width: Number(text.width), height: Number(text.height) },
    picture.columns,
    picture.rows,
  )
  return (
    <details>
      <summary>{w('teach.mask.numbers')}</summary>
      <div class="two">
        {(['x', 'y', 'width', 'height'] as const).map((key) => (
          <Field
            key={key}
            label={w(`teach.mask.${key}`)}
            name={`mask-${key}`}
            inputMode="numeric"
            value={text[key]}
            onInput={(value) => setText({ ...text, [key]: value })}
            maxLength={5}
          />
        ))}
      </div>
      <Button disabled={!box} onPress={() => box && onAdd(box)} test="add-mask">
        {w('teach.mask.add')}
      </Button>
    </details>
  )
}
