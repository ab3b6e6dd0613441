// The doctor's screen: who waits on the left, picture and record in the middle, chart and prescription on the right.

import { useEffect, useMemo, useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Chart, Judgement, Queue, Visit } from '../api/types/visit'
import { clock, minutes } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { w as identity } from '../identity/words'
import { PrescriptionEditor } from '../prescribe/editor'
import { PausedPlans } from '../prescribe/paused'
import { Icon } from '../ui/icons'
import { useKeys } from '../ui/keys'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, Select, Tick, useTitle } from '../ui/parts'
import { ChartPanel } from './chart_panel'
import { w } from './desk_words'
import { Devices } from './devices'
import { visitLead } from './door'
import { Instruments } from './instruments'
import { Kept } from './kept'
import { Arrivals, CallDesk } from './line'
import { lacks, RecordEditor, useRecord } from './record_editor'
import { helping, Room } from './room'
import { DeskChat, DeskDoor, DeskKeys, useRoomDesk } from './room_desk'
import { ShareScreen } from './share_screen'
import { Stage } from './stage'
import { stateTone } from './states'
import { w as visits } from './words'

const personLine = (person: Visit['person']) =>
  w('person', { name: person.name, sex: identity(`sex.${person.sex}`), age: person.age })
/** The prescription to show; in place of one that was made void another may be written while the visit runs. */
const standing = ({ prescriptions }: Visit, inRoom: boolean) =>
  (prescriptions.find(({ state }) => state !== 'void') ?? (inRoom ? undefined : prescriptions[0]))?.id
const running = (visit: Visit) => visit.state === 'in_consult' || visit.state === 'interrupted'
const written = (visit: Visit) => running(visit) || visit.state === 'emergency'

export function Cockpit() {
  const { params } = useRoute()
  const { route } = useLocation()
  const queue = useResource('queue', (signal) => get<Queue>('/queue', signal), ['queue.changed', 'visit.changed'])
  const deed = useDeed()
  const chosen = params.id
  const arrived = useMemo(() => queue.value?.visits.filter((visit) => visit.state === 'checked_in'), [queue.value])
  const waiting = arrived ?? []
  const beingWritten =
    queue.value?.visits.filter((visit) => visit.id === chosen && written(visit) && !visit.record_signed).length ?? 0
  useTitle(waiting.length > 0 ? `(${waiting.length}) ${w('queue.title')}` : w('queue.title'))

  const next = () => {
    const first = waiting[0]
    if (!first) return
    void deed.run(async () => {
      await post<Visit>(`/visits/${first.id}/admit`)
      queue.refresh()
      route(`/staff/visits/${first.id}`)
    })
  }
  useKeys({ F2: next })

  return (
    <div class="columns cockpit">
      <aside class="column" aria-label={w('queue.title')}>
        <div class="top">
          <h2>
            {w('queue.title')} {waiting.length}
          </h2>
          <Button look="primary" disabled={waiting.length === 0} busy={deed.busy} onPress={next} test="next">
            {w('queue.next')} <kbd>F2</kbd>
          </Button>
        </div>
        <Arrivals waiting={arrived} />
        <CallDesk waiting={waiting} chosen={chosen} onChanged={queue.refresh} />
        <ProblemNote problem={deed.problem ?? queue.problem} again={queue.refresh} />
        {!queue.value && !queue.problem && <Loading />}
        {queue.value?.visits.length === 0 && (
          <div class="meta">
            <p>{w('queue.empty')}</p>
            <p>{w('queue.empty.say')}</p>
          </div>
        )}
        <nav class="queue" aria-label={w('queue.title')}>
          {queue.value?.visits.map((visit) => (
            <a
              key={visit.id}
              href={`/staff/visits/${visit.id}`}
              aria-current={visit.id === chosen ? 'true' : undefined}
              data-test="queued"
              data-state={visit.state}
            >
              <span class="top">
                <span>
                  {clock(visit.start)} {visit.person.name}
                </span>
                <span class={`tag ${stateTone[visit.state]}`}>{visits(`state.${visit.state}`)}</span>
              </span>
              {visit.state === 'checked_in' && visit.token && (
                <span>
                  {w('line.no', { n: visit.token })} {visit.called && <span class="tag info">{w('line.called')}</span>}
                </span>
              )}
              <span class="meta">
                {identity(`sex.${visit.person.sex}`)} {visit.person.age} · {visits(`kind.${visit.kind}`)} ·{' '}
                {visit.icd10}
                {visit.state === 'checked_in' && ` · ${w('queue.waited', { n: minutes(visit.waiting_s ?? 0) })}`}
              </span>
            </a>
          ))}
        </nav>
        <PausedPlans />
        <div class="push" />
        {queue.value && (
          <div class="counts">
            <div>
              <span>{w('queue.done')}</span>
              <b>{queue.value.done}</b>
            </div>
            <div class={queue.value.unsigned_records > beingWritten ? 'due' : ''}>
              <span>{w('queue.unsigned')}</span>
              <b>{queue.value.unsigned_records}</b>
            </div>
            <div class={queue.value.returned_prescriptions > 0 ? 'due' : ''}>
              <span>{w('queue.returned')}</span>
              <b>{queue.value.returned_prescriptions}</b>
            </div>
          </div>
        )}
      </aside>
      {chosen ? (
        <Consulting key={chosen} id={chosen} onChanged={queue.refresh} />
      ) : (
        <>
          <main class="column paper" id="content">
            <h1 class="visually-hidden">{w('queue.title')}</h1>
            <div class="empty">
              <Icon name="people" />
              <p>{w('pick')}</p>
            </div>
          </main>
          <aside class="column" aria-label={w('chart.title')} />
        </>
      )}
    </div>
  )
}

function Consulting({ id, onChanged }: { id: string; onChanged: () => void }) {
  const visit = useResource(`visit ${id}`, (signal) => get<Visit>(`/visits/${id}`, signal), [
    'visit.changed',
    'prescription.changed',
  ])
  const chart = useResource(`chart ${id}`, (signal) => get<Chart>(`/visits/${id}/chart`, signal))
  const devices = useMemo(() => new Devices(), [])
  const door = useMemo(() => visitLead(id), [id])
  const room = useMemo(() => new Room(door.ticket, devices), [door, devices])
  const beside = useRoomDesk(id, door, room)
  const desk = useRecord(id)
  const deed = useDeed()
  const [signing, setSigning] = useState<'record' | 'prescription' | undefined>()
  const [judging, setJudging] = useState(false)
  const view = room.view.value
  const inRoom = visit.value !== undefined && running(visit.value)
  const urgent = visit.value?.state === 'emergency'
  const stays = urgent && helping(view)
  const waits = visit.value?.state === 'checked_in'

  useEffect(
    () => () => {
      room.leave()
      devices.close()
    },
    [room, devices],
  )
  useEffect(() => {
    if (inRoom) void room.enter()
    // The connections of both are made while the patient waits; camera and microphone open with the admission.
    else if (waits) room.join()
    else if (!urgent) room.leave()
  }, [inRoom, waits, urgent, room])

  const draft = visit.value?.prescriptions.find((one) => one.state === 'draft')
  useKeys({
    F8: () => {
      if (desk.record && !desk.record.signed_at && !draft && lacks(desk.record).length === 0) setSigning('record')
      else setSigning('prescription')
    },
    F9: () => room.setMic(!room.view.value.mic),
  })

  if (!visit.value)
    return (
      <main class="column paper" id="content">
        <ProblemNote problem={visit.problem} again={visit.refresh} />
        {visit.loading && <Loading />}
      </main>
    )
  const current = visit.value
  const refresh = () => {
    visit.refresh()
    onChanged()
  }
  const act = (path: string, body: object = {}) =>
    void deed.run(async () => {
      visit.set(await post<Visit>(`/visits/${id}/${path}`, body))
      onChanged()
    })
  const idle =
    current.state === 'checked_in'
      ? w('call.waiting')
      : inRoom || view.phase === 'connecting'
        ? w('call.coming')
        : current.state === 'booked'
          ? w('call.off')
          : w('call.over')

  return (
    <>
      <main class="column paper" id="content" data-test="consulting" data-state={current.state}>
        <div class="top">
          <h1>{personLine(current.person)}</h1>
          <span>
            {clock(current.start)} · {visits(`kind.${current.kind}`)}{' '}
            <span class={`tag ${stateTone[current.state]}`}>{visits(`state.${current.state}`)}</span>
          </span>
        </div>
        <ProblemNote problem={deed.problem} />
        <div class="camera-side">
          <Stage view={inRoom || stays || current.helped ? view : { ...view, phase: 'idle' }} idle={idle} />
          {stays && (
            <Notice tone="danger" title={w('emg.on')}>
              {w('emg.phone')}
            </Notice>
          )}
          <div class="keys">
            {current.state === 'checked_in' && (
              <Button look="primary" busy={deed.busy} onPress={() => act('admit')} test="admit">
                {w('admit')}
              </Button>
            )}
            {(inRoom || stays) && (
              <>
                <Button icon={view.mic ? 'mic' : 'micOff'} pressed={!view.mic} onPress={() => room.setMic(!view.mic)}>
                  {view.mic ? w('mute') : w('unmute')} <kbd>F9</kbd>
                </Button>
                <Button
                  icon={view.camera ? 'camera' : 'cameraOff'}
                  pressed={!view.camera}
                  onPress={() => room.setCamera(!view.camera)}
                >
                  {view.camera ? w('cam.off') : w('cam.on')}
                </Button>
              </>
            )}
            {stays && (
              <span class="end">
                <Button look="danger" icon="hangup" onPress={() => room.leave()} test="hang">
                  {w('emg.hang')}
                </Button>
              </span>
            )}
            {current.helped && !stays && (
              <Button busy={view.phase === 'connecting'} onPress={() => void room.enter()} test="rejoin">
                {w('emg.back')}
              </Button>
            )}
            {inRoom && (
              <>
                <ShareScreen room={room} />
                <Instruments at={id} rack={door.rack} remotes={view.remotes} />
                <DeskKeys desk={beside} kinds={['companion', 'colleague', 'observer', 'device']} />
                <span class="end row">
                  <Button
                    look="danger"
                    busy={deed.busy}
                    disabled={!current.record_signed}
                    onPress={() => act('end')}
                    test="end-visit"
                  >
                    {w('end')}
                  </Button>
                  {!current.record_signed && <span class="meta">{w('end.need')}</span>}
                </span>
              </>
            )}
          </div>
          {inRoom && <DeskDoor desk={beside} />}
        </div>
        {inRoom && <DeskChat desk={beside} />}
        {!inRoom && <Kept at={id} door={door} seat="doctor" />}
        <div class="row">
          <span class="meta">{w('judge.title')}</span>
          <span class="grow">
            {current.decision?.reasons.map((reason) => pick(reason.message)).join(' ') ||
              visits(`kind.${current.kind}`)}{' '}
            <span class="meta mono">{current.decision?.reasons.map((reason) => reason.rule).join(' ')}</span>
          </span>
          {inRoom && (
            <Button look="quiet" onPress={() => setJudging(true)} test="judge">
              {w('judge.dialog')}
            </Button>
          )}
        </div>
        {current.complaint && <Notice tone="plain" title={current.complaint} />}
        {(written(current) || current.state === 'concluded' || (desk.record?.version ?? 0) > 0) && (
          <RecordEditor
            visit={id}
            desk={desk}
            signing={signing === 'record'}
            onSigning={(open) => setSigning(open ? 'record' : undefined)}
            onSigned={refresh}
          />
        )}
      </main>
      <aside class="column" aria-label={w('chart.title')}>
        <h2 class="visually-hidden">{w('chart.title')}</h2>
        {chart.value ? (
          <ChartPanel chart={chart.value} />
        ) : chart.problem ? (
          <ProblemNote problem={chart.problem} again={chart.refresh} />
        ) : (
          <Loading />
        )}
        {(inRoom || current.prescriptions.length > 0) && (
          <PrescriptionEditor
            visit={id}
            diagnosis={desk.record?.diagnoses.map((one) => one.icd10) ?? []}
            last={chart.value?.prescriptions.find((one) => one.visit_id !== id && one.state !== 'draft')?.id}
            existing={standing(current, inRoom)}
            signing={signing === 'prescription'}
            onSigning={(open) => setSigning(open ? 'prescription' : undefined)}
            onChanged={refresh}
          />
        )}
      </aside>
      {judging && (
        <JudgeDialog
          onClose={() => setJudging(false)}
          onJudge={(body) => {
            setJudging(false)
            act('judge', body)
          }}
          onAlarm={(sign) => {
            setJudging(false)
            act('alarm', { red_flags: [sign] })
          }}
        />
      )}
    </>
  )
}

const judgements: readonly (Judgement | 'emergency')[] = [
  'confirmed_followup',
  'judged_first',
  'unsuitable',
  'emergency',
]

function JudgeDialog({
  onClose,
  onJudge,
  onAlarm,
}: {
  onClose: () => void
  onJudge: (body: { judgement: Judgement; condition_changed: boolean; note: string }) => void
  onAlarm: (sign: string) => void
}) {
  const [judgement, setJudgement] = useState<Judgement | 'emergency'>('confirmed_followup')
  const [changed, setChanged] = useState(false)
  const [note, setNote] = useState('')
  return (
    <Dialog title={w('judge.dialog')} onClose={onClose}>
      <div class="stack">
        <Select
          label={w('judge.title')}
          value={judgement}
          options={judgements.map((value) => ({ value, label: w(`judge.${value}`) }))}
          onChange={setJudgement}
        />
        {judgement === 'emergency' ? (
          <>
            <Notice tone="danger" title={w('judge.emergency.say')} />
            <Field label={w('judge.emergency.sign')} name="sign" value={note} onInput={setNote} maxLength={200} />
            <Button look="danger" disabled={note.trim() === ''} onPress={() => onAlarm(note.trim())} test="alarm">
              {w('judge.emergency.send')}
            </Button>
          </>
        ) : (
          <>
            <Tick label={w('judge.changed')} checked={changed} onChange={setChanged} />
            <Field label={w('judge.note')} lines={3} value={note} onInput={setNote} maxLength={2000} />
            <Button look="primary" onPress={() => onJudge({ judgement, condition_changed: changed, note })}>
              {w('judge.send')}
            </Button>
          </>
        )}
      </div>
    </Dialog>
  )
}
