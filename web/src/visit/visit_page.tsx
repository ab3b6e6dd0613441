// One address for a visit from booking to after; what is shown follows its state.

import { useEffect, useMemo, useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso'
import { get, post } from '../api/client'
import { streamOpen } from '../api/live'
import { useDeed, useResource } from '../api/resource'
import type { Visit, VisitRecord } from '../api/types/visit'
import { isStopped, StoppedVisit } from '../booking/stopped'
import { PrescriptionSummary } from '../prescribe/patient_rx'
import { MoveVisit } from '../schedule/waiting_list'
import { Button, Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { CallScreen } from './call'
import { Devices } from './devices'
import { visitDoor } from './door'
import { Kept } from './kept'
import { helping, Room } from './room'
import { withRole } from './room_words'
import { BookedPage, VisitHead, WaitingPage } from './waiting'
import { w } from './words'

export function VisitPage() {
  const { params } = useRoute()
  const id = params.id ?? ''
  const visit = useResource(`visit ${id}`, (signal) => get<Visit>(`/visits/${id}`, signal), [
    'visit.changed',
    'queue.changed',
    'prescription.changed',
  ])
  if (!visit.value)
    return (
      <main class="page" id="content">
        {visit.problem?.status === 404 ? (
          <>
            <h1>{w('gone.title')}</h1>
            <p>{w('gone.body')}</p>
            <a class="button" href="/visits">
              {w('list.title')}
            </a>
          </>
        ) : (
          <ProblemNote problem={visit.problem} again={visit.refresh} />
        )}
        {visit.loading && <Loading />}
      </main>
    )
  return <VisitByState visit={visit.value} onVisit={visit.set} refresh={visit.refresh} />
}

function VisitByState({
  visit,
  onVisit,
  refresh,
}: {
  visit: Visit
  onVisit: (visit: Visit) => void
  refresh: () => void
}) {
  const devices = useMemo(() => new Devices(), [])
  const door = useMemo(() => visitDoor(visit.id), [visit.id])
  const room = useMemo(() => new Room(door.ticket, devices), [door, devices])
  const [left, setLeft] = useState(false)
  const deed = useDeed()
  const { route } = useLocation()
  const { state } = visit
  const waits = state === 'checked_in' || state === 'in_consult' || state === 'interrupted'
  const { phase } = room.view.value
  const helped = state === 'emergency' && helping(room.view.value)
  useTitle(w(`state.${state}`))

  useEffect(
    () => () => {
      room.leave()
      devices.close()
    },
    [room, devices],
  )

  // The seat is taken while waiting: the doctor's admit then opens sound and picture without another press.
  useEffect(() => {
    if (!waits && !helped && !visit.helped) room.leave()
    else if (waits && !left) void room.enter()
  }, [waits, helped, visit.helped, left, room])

  useEffect(() => {
    if (phase === 'ended') refresh()
  }, [phase, refresh])

  const cancel = () =>
    void deed.run(async () => {
      onVisit(await post<Visit>(`/visits/${visit.id}/cancel`, { reason: 'patient' }))
    })

  if (
    (waits || helped) &&
    !left &&
    (state !== 'checked_in' || phase === 'live' || phase === 'reconnecting') &&
    phase !== 'waiting' &&
    phase !== 'refused'
  )
    return (
      <CallScreen
        place={visit.institution.name}
        alone={w('call.alone')}
        myName={visit.person.name}
        nameOf={(remote) =>
          remote.role === 'host'
            ? w('call.with', { name: visit.doctor.name, title: visit.doctor.title })
            : withRole(remote)
        }
        room={room}
        door={helped ? undefined : door}
        urgent={helped}
        chatKey={visit.id}
        phone={visit.phone}
        onHang={() => {
          room.leave()
          setLeft(true)
        }}
      />
    )

  if (visit.decision && isStopped(visit))
    return (
      <main class="page" id="content" data-test="visit" data-state={state}>
        <ProblemNote problem={deed.problem} />
        <StoppedVisit
          visit={visit}
          decision={visit.decision}
          busy={deed.busy}
          onCancel={cancel}
          onAgain={() => route('/book/who')}
        />
      </main>
    )

  return (
    <main class="page" id="content" data-test="visit" data-state={state}>
      <ProblemNote problem={deed.problem} />
      {state === 'booked' && (
        <BookedPage
          visit={visit}
          devices={devices}
          busy={deed.busy}
          onGo={() =>
            void deed.run(async () => onVisit(await post<Visit>(`/visits/${visit.id}/check-in`, devices.report())))
          }
          onCancel={cancel}
        />
      )}
      {state === 'booked' && <MoveVisit visit={visit} onMoved={onVisit} />}
      {(waits || visit.helped) && phase === 'refused' && !left && (
        <Notice tone="warn" title={w('call.refused')}>
          {room.view.value.refusal}
          {waits && <Button onPress={() => room.join()}>{w('call.back')}</Button>}
        </Notice>
      )}
      {waits && left && (
        <>
          <h1>{w('call.left')}</h1>
          <VisitHead visit={visit} />
          <Button look="primary" onPress={() => setLeft(false)} test="rejoin">
            {w('call.back')}
          </Button>
        </>
      )}
      {waits && !left && (phase === 'waiting' || state === 'checked_in') && (
        <WaitingPage
          visit={visit}
          devices={devices}
          connected={streamOpen.value || phase === 'waiting'}
          onEnter={undefined}
          onCancel={cancel}
        />
      )}
      {state === 'concluded' && <After visit={visit} />}
      {(state === 'cancelled' || state === 'no_show' || state === 'terminated_offline' || state === 'emergency') && (
        <Ended
          visit={visit}
          coming={phase === 'connecting'}
          onBack={() => {
            setLeft(false)
            void room.enter()
          }}
        />
      )}
    </main>
  )
}

function After({ visit }: { visit: Visit }) {
  const record = useResource(`record ${visit.id}`, (signal) => get<VisitRecord>(`/visits/${visit.id}/record`, signal))
  return (
    <>
      <header class="tight">
        <h1>{w('after.title')}</h1>
        <p>{w('after.lead')}</p>
      </header>
      <VisitHead visit={visit} />
      {record.value?.signed_at && (
        <section class="card">
          <h2>{w('after.advice')}</h2>
          <p>{record.value.plan}</p>
          <p class="meta">{record.value.diagnoses.map(({ name }) => name).join('、')}</p>
        </section>
      )}
      {visit.prescriptions.length === 0 && <p class="meta">{w('after.none')}</p>}
      {visit.prescriptions.map((one) => (
        <PrescriptionSummary key={one.id} id={one.id} />
      ))}
      <Kept at={visit.id} door={visitDoor(visit.id)} seat="patient" />
      <a class="button" href="/">
        {w('end.home')}
      </a>
    </>
  )
}

function Ended({ visit, coming, onBack }: { visit: Visit; coming: boolean; onBack: () => void }) {
  const { route } = useLocation()
  const state = visit.state as 'cancelled' | 'no_show' | 'terminated_offline' | 'emergency'
  return (
    <>
      <h1>{w(`end.${state}`)}</h1>
      <p class="lead">{visit.recording_refused ? w('end.recording_refused') : w(`end.${state}.body`)}</p>
      <VisitHead visit={visit} />
      {state === 'emergency' ? (
        <>
          <a class="button primary" href="tel:120">
            120
          </a>
          {visit.helped && (
            <Button busy={coming} onPress={onBack} test="rejoin">
              {w('end.emergency.back')}
            </Button>
          )}
        </>
      ) : (
        <Button look="primary" onPress={() => route('/book/who')}>
          {w('end.again')}
        </Button>
      )}
      <a class="button" href="/">
        {w('end.home')}
      </a>
    </>
  )
}
