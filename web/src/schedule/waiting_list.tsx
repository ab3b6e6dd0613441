// The patient's waiting list: join it where no time fits, take what is offered, leave.
import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { get, post } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import type { DoctorRow, NewWait, Slot, WaitEntry } from '../api/types/schedule'
import type { Visit } from '../api/types/visit'
import type { Draft } from '../booking/wizard'
import { question } from '../booking/wizard'
import { clock, day, moment } from '../i18n/format'
import { Answer, Button, Dialog, Loading, Notice, ProblemNote, Tick } from '../ui/parts'
import { w } from './patient_words'

const keepDays = 14
const walkInHours = 4

/** Puts the wish of the draft on the list of this doctor, or into the pool of those who want any doctor now. */
export function JoinWait({ doctor, given, walkIn = false }: { doctor: DoctorRow; given: Draft; walkIn?: boolean }) {
  const deed = useDeed()
  const once = useOnce()
  const [entry, setEntry] = useState<WaitEntry>()
  const asked = question(given)
  if (!asked) return null
  const join = () =>
    void deed.run(async () => {
      const until = new Date()
      if (walkIn) until.setHours(until.getHours() + walkInHours)
      else until.setHours(24 * (keepDays + 1), 0, 0, 0)
      const wish: NewWait = {
        person_id: asked.person_id,
        institution_id: doctor.institution.id,
        ...(walkIn ? {} : { practitioner_id: doctor.practitioner_id }),
        department: doctor.department,
        walk_in: walkIn,
        until: until.toISOString(),
        wish: {
          kind: asked.kind,
          icd10: asked.icd10,
          severity: asked.severity,
          intends_rx: asked.intends_rx,
          complaint: given.complaint ?? '',
        },
        consents: asked.consents,
      }
      setEntry(await post<WaitEntry>('/waits', wish, once(wish)))
    })
  if (entry)
    return (
      <Notice tone="ok" live title={w(walkIn ? 'walkin.joined' : 'wait.joined')}>
        {w('wait.ahead', { n: entry.ahead })} · {w(walkIn ? 'walkin.next' : 'wait.note')}
      </Notice>
    )
  return (
    <>
      <ProblemNote problem={deed.problem} />
      <Answer
        icon="clock"
        label={w(walkIn ? 'walkin.go' : 'wait.go')}
        note={w(walkIn ? 'walkin.note' : 'wait.note')}
        onPress={join}
        disabled={deed.busy}
        test={walkIn ? 'walk-in' : 'wait'}
      />
    </>
  )
}

/** The entries of this account; an offer stands on top with its clock time. */
export function MyWaits() {
  const { route } = useLocation()
  const list = useResource('waits', (signal) => get<WaitEntry[]>('/waits', signal), ['wait.changed', 'visit.changed'])
  const deed = useDeed()
  const once = useOnce()
  if (!list.value || list.value.length === 0) return null
  return (
    <section class="stack" data-test="waits">
      <h2>{w('wait.title')}</h2>
      <ProblemNote problem={deed.problem} />
      {list.value.map((one) => (
        <div class="card" key={one.id}>
          <b>{w('wait.with', { doctor: one.doctor.name || w('wait.any'), department: one.department })}</b>
          {one.offer ? (
            <>
              <span>{w('wait.offer', { at: moment(one.offer.slot.start) })}</span>
              <span class="meta">{w('wait.offer.until', { at: clock(one.offer.until) })}</span>
              <Button
                look="primary"
                busy={deed.busy}
                onPress={() =>
                  void deed.run(async () => {
                    const visit = await post<Visit>(`/waits/${one.id}/take`, {}, once(['take', one.id, one.offer?.id]))
                    route(`/visits/${visit.id}`)
                  })
                }
                test="take-offer"
              >
                {w('wait.take')}
              </Button>
            </>
          ) : (
            <span class="meta">
              {w('wait.ahead', { n: one.ahead })} · {w('wait.until', { day: day(one.until) })}
            </span>
          )}
          <Button
            look="quiet"
            busy={deed.busy}
            onPress={() =>
              void deed.run(async () => {
                await post<void>(`/waits/${one.id}/leave`, {}, once(['leave', one.id]))
                list.refresh()
              })
            }
          >
            {w('wait.leave')}
          </Button>
        </div>
      ))}
    </section>
  )
}

/** Another time of the same doctor for a visit that has not begun. */
export function MoveVisit({ visit, onMoved }: { visit: Visit; onMoved: (visit: Visit) => void }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button look="quiet" onPress={() => setOpen(true)} test="move">
        {w('move.go')}
      </Button>
      {open && (
        <Dialog title={w('move.title')} onClose={() => setOpen(false)}>
          <MoveTimes
            visit={visit}
            onMoved={(moved) => {
              setOpen(false)
              onMoved(moved)
            }}
          />
        </Dialog>
      )}
    </>
  )
}

function MoveTimes({ visit, onMoved }: { visit: Visit; onMoved: (visit: Visit) => void }) {
  const deed = useDeed()
  const once = useOnce()
  const slots = useResource(`move ${visit.id}`, (signal) =>
    get<Slot[]>(`/doctors/${visit.doctor.id}/slots?days=14`, signal),
  )
  if (!slots.value) return slots.problem ? <ProblemNote problem={slots.problem} again={slots.refresh} /> : <Loading />
  const here = slots.value.filter(
    (slot) => slot.institution.id === visit.institution.id && slot.department === visit.department,
  )
  return (
    <div class="stack">
      <ProblemNote problem={deed.problem} />
      {here.length === 0 && <p>{w('move.none')}</p>}
      {here.slice(0, 12).map((slot) => (
        <Button
          key={slot.id}
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              const body = { slot_id: slot.id }
              onMoved(await post<Visit>(`/visits/${visit.id}/move`, body, once([visit.id, body])))
            })
          }
          test="move-to"
        >
          {moment(slot.start)}
        </Button>
      ))}
    </div>
  )
}

/** The same weekday and time in the weeks after: ticked ones are booked with the first, all or none. */
export function Again({
  doctor,
  slot,
  chosen,
  onChange,
}: {
  doctor: DoctorRow
  slot: Slot
  chosen: readonly string[]
  onChange: (slots: string[]) => void
}) {
  const slots = useResource(`again ${slot.id}`, (signal) =>
    get<Slot[]>(`/doctors/${doctor.practitioner_id}/slots?days=60`, signal),
  )
  const week = 7 * 86_400_000
  const later = (slots.value ?? [])
    .filter(
      (one) =>
        one.institution.id === slot.institution.id &&
        one.department === slot.department &&
        one.start > slot.start &&
        (Date.parse(one.start) - Date.parse(slot.start)) % week === 0,
    )
    .slice(0, 6)
  if (later.length === 0) return null
  return (
    <section class="stack">
      <h2>{w('again.title')}</h2>
      <p class="meta">{w('again.note')}</p>
      {later.map((one) => (
        <Tick
          key={one.id}
          label={moment(one.start)}
          checked={chosen.includes(one.id)}
          onChange={(on) => onChange(on ? [...chosen, one.id] : chosen.filter((id) => id !== one.id))}
          test="again"
        />
      ))}
    </section>
  )
}
