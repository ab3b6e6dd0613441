// The patient's waiting list: join it where no time fits, take what is offered, leave.
import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { get, post } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import type { DoctorRow, NewWait, Slot, Visit, WaitEntry } from '../api/types'
import type { Draft } from '../booking/wizard'
import { question } from '../booking/wizard'
import { clock, day, moment } from '../i18n/format'
import { Answer, Button, Dialog, Loading, Notice, ProblemNote } from '../ui/parts'
import { w } from './patient_words'

const keepDays = 14

/** Puts the wish of the draft on the list of this doctor. */
export function JoinWait({ doctor, given }: { doctor: DoctorRow; given: Draft }) {
  const deed = useDeed()
  const once = useOnce()
  const [entry, setEntry] = useState<WaitEntry>()
  const asked = question(given)
  if (!asked) return null
  const join = () =>
    void deed.run(async () => {
      const until = new Date()
      until.setHours(24 * (keepDays + 1), 0, 0, 0)
      const wish: NewWait = {
        person_id: asked.person_id,
        institution_id: doctor.institution.id,
        practitioner_id: doctor.practitioner_id,
        department: doctor.department,
        walk_in: false,
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
      <Notice tone="ok" live title={w('wait.joined')}>
        {w('wait.ahead', { n: entry.ahead })} · {w('wait.note')}
      </Notice>
    )
  return (
    <>
      <ProblemNote problem={deed.problem} />
      <Answer icon="clock" label={w('wait.go')} note={w('wait.note')} onPress={join} disabled={deed.busy} test="wait" />
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
