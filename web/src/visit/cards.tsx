import type { Visit } from '../api/types/visit'
import { moment } from '../i18n/format'
import { due, stateTone } from './states'
import { w } from './words'

export function VisitCard({ visit, first }: { visit: Visit; first?: boolean }) {
  return (
    <a class={`card${first ? ' due' : ''}`} href={`/visits/${visit.id}`} data-test="visit-card">
      <div class="top">
        <b>{moment(visit.start)}</b>
        <span class={`tag ${stateTone[visit.state]}`}>{w(`state.${visit.state}`)}</span>
      </div>
      <span>
        {visit.doctor.name} {visit.doctor.title} · {visit.department}
      </span>
      <span class="meta">
        {visit.person.name} · {w(`kind.${visit.kind}`)} · {visit.institution.name}
      </span>
    </a>
  )
}

export function VisitList({ visits }: { visits: Visit[] }) {
  const open = due(visits)
  const past = visits.filter((visit) => !open.includes(visit)).sort((a, b) => b.start.localeCompare(a.start))
  if (visits.length === 0) return <p>{w('list.empty')}</p>
  return (
    <>
      {open.length > 0 && (
        <section class="stack">
          <h2>{w('list.open')}</h2>
          {open.map((visit) => (
            <VisitCard key={visit.id} visit={visit} first />
          ))}
        </section>
      )}
      {past.length > 0 && (
        <section class="stack">
          <h2>{w('list.past')}</h2>
          {past.map((visit) => (
            <VisitCard key={visit.id} visit={visit} />
          ))}
        </section>
      )}
    </>
  )
}
