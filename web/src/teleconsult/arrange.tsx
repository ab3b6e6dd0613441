// The coordinator's deeds on a request: take it on, ask for more, give it to an expert in writing or at a common time, decline.
import { useState } from 'preact/hooks'
import { get } from '../api/client'
import { useResource } from '../api/resource'
import type { CommonTime, ExpertRow, Teleconsult } from '../api/types/teleconsult'
import { clock, moment } from '../i18n/format'
import { MeetingFinder } from '../schedule/finder'
import { Button, Loading, ProblemNote } from '../ui/parts'
import { type Act, Reasoned } from './panels'
import { Triage } from './triage'
import { w } from './words'

export function Arranging({ one, act, busy }: { one: Teleconsult; act: Act; busy: boolean }) {
  const [expert, setExpert] = useState<string>()
  const experts = useResource(`experts ${one.id} ${one.department}`, (signal) =>
    get<ExpertRow[]>(`/teleconsults/${one.id}/experts`, signal),
  )
  const times = useResource(expert && `times ${one.id} ${expert}`, (signal) =>
    get<CommonTime[]>(`/teleconsults/${one.id}/times?practitioner_id=${expert}`, signal),
  )
  return (
    <section class="stack">
      <h2>{w('b.experts')}</h2>
      <ProblemNote problem={experts.problem ?? times.problem} />
      {experts.value?.length === 0 && <p>{w('b.noexperts')}</p>}
      <div class="queue">
        {experts.value?.map((row) => (
          <button
            key={row.practitioner_id}
            type="button"
            aria-current={row.practitioner_id === expert ? 'true' : undefined}
            onClick={() => setExpert(row.practitioner_id)}
            data-test="expert"
          >
            <span class="top">
              <span>
                {row.name} {row.title}
              </span>
            </span>
            <span class="meta">{w('b.places', { list: row.places.join('、') })}</span>
          </button>
        ))}
      </div>
      {expert && (
        <section class="stack">
          <div class="row">
            <Button busy={busy} onPress={() => act('hand-over', { practitioner_id: expert })} test="hand-over">
              {w('b.handover')}
            </Button>
          </div>
          <h2>{w('b.times')}</h2>
          {times.loading && !times.value && <Loading />}
          {times.value?.length === 0 && <p>{w('b.notimes')}</p>}
          {times.value?.slice(0, 6).map((time, index) => (
            <div key={time.start} class="row">
              <Button
                look={index === 0 ? 'primary' : 'plain'}
                busy={busy}
                onPress={() => act('assign', { practitioner_id: expert, start: time.start, end: time.end })}
                test="assign"
              >
                {w('b.take', { at: `${moment(time.start)}-${clock(time.end)}` })}
              </Button>
              <span class="meta">{w('b.free', { list: time.free_at.join('、') })}</span>
            </div>
          ))}
        </section>
      )}
      <MeetingFinder
        consult={one.id}
        busy={busy}
        onTake={(experts, start, end) => {
          const lead = experts.find((each) => each.institution_id === one.invited.id) ?? experts[0]
          if (!lead) return
          const further = experts.filter((each) => each !== lead)
          act('assign', { practitioner_id: lead.practitioner_id, start, end, further })
        }}
      />
      <div class="row">
        <Triage one={one} act={act} busy={busy} />
        <Reasoned label={w('n.ask')} field={w('n.what')} onSay={(reason) => act('needs', { reason })} test="ask-more" />
        <Reasoned
          look="danger"
          label={w('b.decline')}
          field={w('b.decline.why')}
          onSay={(reason) => act('decline', { reason })}
          test="decline"
        />
      </div>
    </section>
  )
}
