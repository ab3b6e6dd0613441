// Administrators decide whether visits are recorded and for how long that is kept; and when its time is over, two of them end it.
import { useState } from 'preact/hooks'
import { get, post, put } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { EndingRecording, RecordingRules } from '../api/types/visit'
import { bytes, isoDay, moment } from '../i18n/format'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, Tick, useTitle } from '../ui/parts'
import { w } from './tapes_words'

export function TapesPage() {
  const rules = useResource('recording rules', (signal) => get<RecordingRules[]>('/recordings/rules', signal))
  const ending = useResource('recordings ending', (signal) => get<EndingRecording[]>('/recordings/ending', signal))
  const [day, setDay] = useState('')
  const ofDay = useResource(day === '' ? undefined : `recordings of ${day}`, (signal) =>
    get<EndingRecording[]>(`/recordings/ending?day=${day}`, signal),
  )
  const hold = async (id: string, why: string) => {
    await post<EndingRecording>(`/recordings/${id}/hold`, { why })
    ending.refresh()
    ofDay.refresh()
  }
  useTitle(w('title'))
  return (
    <main class="column paper" id="content" data-test="tapes">
      <h1>{w('title')}</h1>
      <section class="stack">
        <h2>{w('rules.title')}</h2>
        <p class="meta">{w('rules.say')}</p>
        {!rules.value && (rules.problem ? <ProblemNote problem={rules.problem} again={rules.refresh} /> : <Loading />)}
        {rules.value?.map((one) => (
          <Place key={one.institution_id} rules={one} />
        ))}
      </section>
      <section class="stack" data-test="ending">
        <h2>{w('end.title')}</h2>
        <p class="meta">{w('end.say')}</p>
        {!ending.value &&
          (ending.problem ? <ProblemNote problem={ending.problem} again={ending.refresh} /> : <Loading />)}
        {ending.value && (
          <Ending
            list={ending.value}
            agree={async (recordings) =>
              ending.set(await post<EndingRecording[]>('/recordings/ending', { recordings }))
            }
            hold={hold}
            none={w('end.none')}
          />
        )}
      </section>
      <section class="stack" data-test="of-day">
        <h2>{w('day.title')}</h2>
        <p class="meta">{w('day.say')}</p>
        <Field label={w('day.of')} name="day" type="date" value={day} onInput={setDay} max={isoDay(new Date())} />
        {day !== '' &&
          (ofDay.value ? (
            <Ending list={ofDay.value} hold={hold} none={w('day.none')} />
          ) : ofDay.problem ? (
            <ProblemNote problem={ofDay.problem} again={ofDay.refresh} />
          ) : (
            <Loading />
          ))}
      </section>
    </main>
  )
}

function Place({ rules }: { rules: RecordingRules }) {
  const [required, setRequired] = useState(rules.required)
  const [years, setYears] = useState(String(rules.years))
  const [saved, setSaved] = useState(false)
  const deed = useDeed()
  const count = Number(years)
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault()
        void deed.run(async () => {
          await put<RecordingRules>(`/recordings/rules/${rules.institution_id}`, { required, years: count })
          setSaved(true)
        })
      }}
    >
      <b>{rules.institution}</b>
      <ProblemNote problem={deed.problem} />
      <Tick
        label={w('rules.required')}
        note={w('rules.required.note')}
        checked={required}
        onChange={(on) => {
          setRequired(on)
          setSaved(false)
        }}
        test="tapes-required"
      />
      <Field
        label={w('rules.years')}
        hint={w('rules.years.hint')}
        name="years"
        inputMode="numeric"
        unit={w('rules.years.unit')}
        value={years}
        onInput={(text) => {
          setYears(text.replace(/\D/g, '').slice(0, 2))
          setSaved(false)
        }}
      />
      {saved && <Notice tone="ok" live title={w('rules.saved')} />}
      <div class="row">
        <Button look="primary" type="submit" busy={deed.busy} disabled={count < 3 || count > 30} test="save-tape-rules">
          {w('rules.save')}
        </Button>
      </div>
    </form>
  )
}

/** Those on which the reader has a word to give. */
export const mayAgree = (list: readonly EndingRecording[]): EndingRecording[] =>
  list.filter((one) => one.state === 'due' || (one.state === 'agreed' && !one.mine))

const tone = { kept: 'plain', due: 'info', agreed: 'info', ending: 'warn', held: 'warn', erased: 'plain' } as const

/** Recordings with what may be done about each; destroying only where `agree` is given. */
export function Ending({
  list,
  agree,
  hold,
  none,
}: {
  list: EndingRecording[]
  agree?: (recordings: string[]) => Promise<void>
  hold: (id: string, why: string) => Promise<void>
  none: string
}) {
  const [sure, setSure] = useState(false)
  const [holding, setHolding] = useState<EndingRecording>()
  const [why, setWhy] = useState('')
  const deed = useDeed()
  const mine = agree ? mayAgree(list) : []
  const second = mine.filter((one) => one.state === 'agreed').length
  if (list.length === 0) return <p>{none}</p>
  return (
    <>
      <ProblemNote problem={deed.problem} />
      {mine.length > 0 && (
        <div class="row">
          <Button look="danger" onPress={() => setSure(true)} test="end-agree">
            {w('end.agree', { n: mine.length })}
          </Button>
        </div>
      )}
      {list.map((one) => (
        <div key={one.id} class="card" data-test="ending-one" data-state={one.state}>
          <div class="top">
            <b>{w('end.row', { kind: w(`kind.${one.kind}`), doctor: one.doctor, day: isoDay(one.recorded_at) })}</b>
            <span class={`tag ${tone[one.state]}`}>{w(`state.${one.state}`)}</span>
          </div>
          <span class="meta">
            {one.institution} · {w('end.until', { until: one.keep_until, size: bytes(one.bytes) })}
          </span>
          {one.first && (
            <span class="meta">{w('end.by', { names: [one.first, one.second].filter(Boolean).join('、') })}</span>
          )}
          {one.state === 'held' && <p>{w('hold.is', { by: one.held_by ?? '', why: one.held_why ?? '' })}</p>}
          {one.erased_at && (
            <>
              <p>{w('erased.proof', { at: moment(one.erased_at), n: one.parts, size: bytes(one.bytes) })}</p>
              <p class="meta mono link">SHA-256 {one.sha256}</p>
            </>
          )}
          {one.state !== 'erased' && (
            <div class="row">
              {one.state === 'held' ? (
                <Button busy={deed.busy} onPress={() => void deed.run(() => hold(one.id, ''))} test="release">
                  {w('hold.release')}
                </Button>
              ) : (
                <Button icon="lock" onPress={() => setHolding(one)} test="hold">
                  {w('hold.go')}
                </Button>
              )}
            </div>
          )}
        </div>
      ))}
      {sure && agree && (
        <Dialog title={w('end.agree', { n: mine.length })} onClose={() => setSure(false)}>
          <div class="stack">
            <p>{w('end.agree.sure', { n: mine.length })}</p>
            {second > 0 && <Notice tone="warn" title={w('end.agree.second', { n: second })} />}
            <Button
              look="danger"
              busy={deed.busy}
              onPress={() => {
                setSure(false)
                void deed.run(() => agree(mine.map((one) => one.id)))
              }}
              test="end-agree-go"
            >
              {w('end.agree.go')}
            </Button>
          </div>
        </Dialog>
      )}
      {holding && (
        <Dialog title={w('hold.go')} onClose={() => setHolding(undefined)}>
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              setHolding(undefined)
              setWhy('')
              void deed.run(() => hold(holding.id, why.trim()))
            }}
          >
            <Field
              label={w('hold.why')}
              hint={w('hold.why.hint')}
              name="why"
              lines={2}
              value={why}
              onInput={setWhy}
              maxLength={200}
            />
            <Button look="primary" type="submit" disabled={why.trim() === ''} test="hold-go">
              {w('hold.save')}
            </Button>
          </form>
        </Dialog>
      )}
    </>
  )
}
