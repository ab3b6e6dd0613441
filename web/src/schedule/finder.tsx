// A common time for several experts at several hospitals, the county's room and the patient; or the reason why there is none.
import { useState } from 'preact/hooks'
import { get, post, query } from '../api/client'
import { useDeed } from '../api/resource'
import type { Candidate, MeetingFinding } from '../api/types/schedule'
import { clock, moment } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Find } from '../ui/find'
import { Button, Field, Notice, ProblemNote, Select, Tick } from '../ui/parts'
import { w } from './words'

export type Invitee = { practitioner_id: string; institution_id: string }
type Chosen = { who: Candidate; at: string }

export function MeetingFinder({
  consult,
  busy,
  onTake,
}: {
  consult: string
  busy: boolean
  onTake: (experts: Invitee[], start: string, end: string) => void
}) {
  const [chosen, setChosen] = useState<Chosen[]>([])
  const [days, setDays] = useState<'3' | '7' | '14' | '28'>('7')
  const [minutes, setMinutes] = useState('30')
  const [room, setRoom] = useState(true)
  const [patient, setPatient] = useState(false)
  const [found, setFound] = useState<MeetingFinding>()
  const deed = useDeed()
  const experts = chosen.map(({ who, at }) => ({ practitioner_id: who.practitioner_id, institution_id: at }))
  const change = (next: Chosen[]) => {
    setChosen(next)
    setFound(undefined)
  }
  return (
    <section class="card" data-test="finder">
      <h2>{w('mdt.title')}</h2>
      <Find<Candidate>
        label={w('mdt.find')}
        ask={(q, signal) => get<Candidate[]>(`/experts${query({ q })}`, signal)}
        show={(row) => ({ name: `${row.name} ${row.title}`, note: row.places.map(({ name }) => name).join('、') })}
        keyOf={(row) => row.practitioner_id}
        onPick={(who) => {
          const at = who.places[0]?.id
          if (at && !chosen.some((one) => one.who.practitioner_id === who.practitioner_id))
            change([...chosen, { who, at }])
        }}
        test="find-expert"
      />
      <Experts chosen={chosen} onChange={change} />
      <div class="two">
        <Select
          label={w('mdt.days')}
          value={days}
          options={(['3', '7', '14', '28'] as const).map((value) => ({ value, label: value }))}
          onChange={setDays}
        />
        <Field
          label={w('mdt.minutes')}
          name="minutes"
          value={minutes}
          onInput={setMinutes}
          inputMode="numeric"
          maxLength={3}
        />
      </div>
      <Tick label={w('mdt.room')} checked={room} onChange={setRoom} />
      <Tick label={w('mdt.patient')} checked={patient} onChange={setPatient} />
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <Button
          look="primary"
          busy={deed.busy}
          disabled={chosen.length === 0 || !(Number(minutes) >= 10)}
          onPress={() =>
            void deed.run(async () => {
              const from = new Date()
              const until = new Date(from.getTime() + Number(days) * 86_400_000)
              setFound(
                await post<MeetingFinding>(`/teleconsults/${consult}/common-times`, {
                  experts,
                  from: from.toISOString(),
                  until: until.toISOString(),
                  minutes: Number(minutes),
                  room,
                  patient,
                }),
              )
            })
          }
          test="find-times"
        >
          {w('mdt.go')}
        </Button>
      </div>
      {found && found.times.length === 0 && (
        <div role="status" data-test="no-common-time">
          <Notice tone="warn" title={w('mdt.why')}>
            <ul class="bare">
              {found.why.map((one) => (
                <li key={one.names.join()}>{pick(one.say)}</li>
              ))}
            </ul>
          </Notice>
        </div>
      )}
      <div class="stack" role="status">
        {found?.times.map((time, index) => (
          <div key={time.start} class="row" data-test="common-time">
            <Button
              look={index === 0 ? 'primary' : 'plain'}
              busy={busy}
              onPress={() => onTake(experts, time.start, time.end)}
              test="take-time"
            >
              {w('mdt.take', { at: `${moment(time.start)}-${clock(time.end)}` })}
            </Button>
            {time.tight.length > 0 && <span class="meta">{w('mdt.tight', { names: time.tight.join('、') })}</span>}
          </div>
        ))}
      </div>
    </section>
  )
}

function Experts({ chosen, onChange }: { chosen: Chosen[]; onChange: (next: Chosen[]) => void }) {
  return (
    <>
      {chosen.map((one, index) => (
        <div key={one.who.practitioner_id} class="row" data-test="chosen-expert">
          <span class="grow">
            {one.who.name} {one.who.title}
          </span>
          <Select
            label={w('mdt.at')}
            value={one.at}
            options={one.who.places.map(({ id, name }) => ({ value: id, label: name }))}
            onChange={(at) => onChange(chosen.with(index, { ...one, at }))}
          />
          <Button look="quiet" onPress={() => onChange(chosen.filter((other) => other !== one))}>
            {w('mdt.out')}
          </Button>
        </div>
      ))}
    </>
  )
}
