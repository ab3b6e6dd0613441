// The talk over the images, seen again with the opinion: what each presenter showed, at the pace it was shown.
import { useEffect, useMemo, useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso'
import { get } from '../api/client'
import { useResource } from '../api/resource'
import { me } from '../api/session'
import type { Teleconsult } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { Compared } from '../imaging/compared'
import type { Mark } from '../imaging/marks'
import { noShare, readShown, type ShareView } from '../imaging/share'
import { type Replayed, schedule, stateAt, type Talk } from '../imaging/shown_log'
import { Button, Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { maySee, partIn } from './states'
import { openedOf } from './study'
import { w } from './words'

const tick = 100 // ms
const paces = [1, 2, 4] as const

export function Replay() {
  const { params } = useRoute()
  const { route } = useLocation()
  const id = params.id ?? ''
  const one = useResource(`case ${id}`, (signal) => get<Teleconsult>(`/teleconsults/${id}`, signal))
  const talk = useResource(`shown ${id}`, (signal) => get<Talk>(`/teleconsults/${id}/shown`, signal))
  const marks = useResource(`marks ${id}`, (signal) =>
    get<(Mark & { gone?: boolean })[]>(`/teleconsults/${id}/marks`, signal),
  )
  const back = () => route(`/staff/cases/${id}`)
  useTitle(w('replay.title'))
  useEffect(() => {
    document.documentElement.classList.add('reading-room')
    return () => document.documentElement.classList.remove('reading-room')
  }, [])
  const seen = one.value && maySee(partIn(me(), one.value), one.value.state)
  if (one.value && talk.value && marks.value && talk.value.states.length > 0 && seen)
    return <Playing one={one.value} all={talk.value} marks={marks.value.filter(({ gone }) => !gone)} onBack={back} />
  return (
    <main class="column paper" id="content">
      <h1>{w('replay.title')}</h1>
      <ProblemNote problem={one.problem ?? talk.problem ?? marks.problem} />
      {one.value && !seen ? (
        <p data-test="refused">{w('c.refused')}</p>
      ) : talk.value?.states.length === 0 ? (
        <p>{w('replay.none')}</p>
      ) : (
        !one.problem && !talk.problem && <Loading />
      )}
      <div class="row">
        <Button icon="back" onPress={back}>
          {w('c.back')}
        </Button>
      </div>
    </main>
  )
}

function Playing({ one, all, marks, onBack }: { one: Teleconsult; all: Talk; marks: Mark[]; onBack: () => void }) {
  const talk = all.states
  const { begins, length } = useMemo(() => schedule(talk), [talk])
  const [at, setAt] = useState(0)
  const [playing, setPlaying] = useState(false)
  const [pace, setPace] = useState<(typeof paces)[number]>(1)
  useEffect(() => {
    if (!playing) return
    const timer = setInterval(
      () =>
        setAt((ms) => {
          if (ms + tick * pace < length) return ms + tick * pace
          setPlaying(false)
          return length
        }),
      tick,
    )
    return () => clearInterval(timer)
  }, [playing, pace, length])
  const index = stateAt(begins, at)
  const state = talk[index]
  // A new view only for a new state: the viewers go where it says, and stay free in between.
  const [left, setLeft] = useState<Replayed>()
  const share: ShareView = useMemo(
    () =>
      state
        ? {
            ...noShare,
            leader: { seat: '', name: state.by.name },
            following: left !== state,
            shown: readShown(state),
          }
        : noShare,
    [state, left],
  )
  if (!state) return null
  const look = () => {
    setPlaying(false)
    setLeft(state)
  }
  const series = openedOf(one)
  const press = () => {
    if (!playing && at >= length) setAt(0)
    setPlaying(!playing)
  }
  return (
    <div class="reading reading-room replay" data-test="replay" data-index={index} data-count={talk.length}>
      <aside class="column" aria-label={w('replay.title')}>
        <Button look="quiet" icon="back" onPress={onBack}>
          {w('c.back')}
        </Button>
        <h1>{w('replay.title')}</h1>
        <p data-test="replay-by">{w('replay.by', { name: state.by.name, at: moment(state.at) })}</p>
        <div class="row">
          <Button look="primary" pressed={playing} onPress={press} test="replay-play">
            {playing ? w('replay.stop') : w('replay.play')}
          </Button>
          {paces.map((each) => (
            <Button key={each} look="quiet" pressed={pace === each} onPress={() => setPace(each)}>
              {w('replay.pace', { n: each })}
            </Button>
          ))}
        </div>
        <label class="stack">
          <span>{w('replay.step', { n: index + 1, m: talk.length })}</span>
          <input
            type="range"
            min={0}
            max={talk.length - 1}
            value={index}
            data-test="replay-at"
            onInput={(event) => {
              setPlaying(false)
              setAt(begins[Number(event.currentTarget.value)] ?? 0)
            }}
          />
        </label>
        <p class="meta">{w('replay.rests')}</p>
        {all.bound.map(({ by, signed_at, verdict }) => (
          <Notice
            key={`${by.id} ${signed_at}`}
            tone={verdict === 'holds' ? 'ok' : verdict === 'changed' ? 'danger' : 'warn'}
          >
            <span data-test={`talk-${verdict}`}>{w(`replay.${verdict}`, { name: by.name })}</span>
          </Notice>
        ))}
        {one.opinion?.signed_at && (
          <section class="stack">
            <h2>{w('c.opinion')}</h2>
            <dl class="facts">
              <dt>{w('c.findings')}</dt>
              <dd>{one.opinion.content.findings}</dd>
              <dt>{w('c.advice')}</dt>
              <dd>{one.opinion.content.advice}</dd>
            </dl>
          </section>
        )}
      </aside>
      <main id="content" class="holds-viewer">
        <Compared
          all={series}
          opened={
            series.find((each) => each.series === state.series) ?? {
              study: state.study,
              series: state.series,
              title: '',
              modality: '',
            }
          }
          share={share}
          names={{}}
          together={false}
          onMoved={look}
          onPoint={() => {}}
          onLead={() => {}}
          onRelease={() => {}}
          onFollow={(on) => (on ? setLeft(undefined) : look())}
          marking={{ marks, drafts: [], may: false, draw: () => {}, put: () => {}, remove: () => {} }}
          go={undefined}
          onSeries={() => {}}
        />
      </main>
    </div>
  )
}
