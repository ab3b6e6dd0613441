// Doctor, time, and the last look before booking.
import type { ComponentChildren } from 'preact'
import type { DoctorRow, Slot } from '../api/types/schedule'
import { clock, isoDay, moment, nearDay, yuan } from '../i18n/format'
import { Answer, Button } from '../ui/parts'
import { w } from './words'

export function DoctorQuestion({ doctors, onPick }: { doctors: DoctorRow[]; onPick: (doctor: DoctorRow) => void }) {
  return (
    <>
      <h1 tabIndex={-1}>{w('doc.title')}</h1>
      {doctors.length === 0 && <p>{w('doc.none')}</p>}
      <div class="answers">
        {doctors.map((doctor) => (
          <Answer
            key={`${doctor.practitioner_id} ${doctor.institution.id}`}
            icon="person"
            label={`${doctor.name} ${doctor.title}`}
            note={
              <>
                {doctor.institution.name} · {doctor.department}
                <br />
                {w('doc.fee', { fee: yuan(doctor.fee_fen) })}
                <br />
                {doctor.earliest ? w('doc.earliest', { at: moment(doctor.earliest.start) }) : w('doc.full')}
              </>
            }
            onPress={() => onPick(doctor)}
            disabled={!doctor.earliest}
            test="doctor"
          />
        ))}
      </div>
    </>
  )
}

export function slotsByDay(slots: readonly Slot[]): [string, Slot[]][] {
  const days = new Map<string, Slot[]>()
  for (const slot of [...slots].sort((a, b) => a.start.localeCompare(b.start))) {
    const key = isoDay(slot.start)
    days.set(key, [...(days.get(key) ?? []), slot])
  }
  return [...days]
}

export function TimesQuestion({
  doctor,
  slots,
  onPick,
  onOther,
  children,
}: {
  doctor: DoctorRow
  slots: Slot[]
  onPick: (slot: Slot) => void
  onOther: () => void
  children?: ComponentChildren
}) {
  const days = slotsByDay(slots)
  const earliest = days[0]?.[1][0]
  return (
    <>
      <header class="tight">
        <h1 tabIndex={-1}>{w('times.title')}</h1>
        <p>
          {doctor.name} {doctor.title} · {doctor.department}
        </p>
        <p class="meta">
          {doctor.institution.name} · {w('doc.fee', { fee: yuan(doctor.fee_fen) })}
        </p>
      </header>
      {earliest ? (
        <Button look="primary" onPress={() => onPick(earliest)} test="earliest">
          {w('times.earliest', { at: moment(earliest.start) })}
        </Button>
      ) : (
        <p>{w('times.none')}</p>
      )}
      {days.map(([key, free]) => (
        <section key={key} class="stack">
          <h2>{nearDay(free[0]?.start ?? key)}</h2>
          <div class="times">
            {free.map((slot) => (
              <button key={slot.id} type="button" onClick={() => onPick(slot)} data-test="slot" data-slot={slot.id}>
                {clock(slot.start)}
              </button>
            ))}
          </div>
        </section>
      ))}
      {children}
      <Button look="quiet" onPress={onOther}>
        {w('times.other')}
      </Button>
    </>
  )
}
