// A booked visit that was judged again and may not begin: why, that it cost nothing, and the ways on.
import type { Decision } from '../api/types/booking'
import type { Visit } from '../api/types/visit'
import { moment } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { Button } from '../ui/parts'
import { reachable, WayOut } from './decision'
import { ReviewBox } from './review'
import { goesOn } from './wizard'
import { w } from './words'

/** The newest decision speaks against a visit that has not begun. */
export const isStopped = ({ state, decision }: Visit): boolean =>
  (state === 'booked' || state === 'checked_in') && decision !== undefined && !goesOn(decision)

type StoppedProps = { visit: Visit; decision: Decision; busy: boolean; onCancel: () => void; onAgain: () => void }

export function StoppedVisit({ visit, decision, busy, onCancel, onAgain }: StoppedProps) {
  return (
    <>
      <div class="verdict warn" data-test="stopped" data-verdict={decision.verdict}>
        <Icon name="warn" />
        <h1 tabIndex={-1}>{w('stop.title')}</h1>
      </div>
      <p>
        {moment(visit.start)} · {visit.doctor.name} {visit.doctor.title}
      </p>
      <p>{w('stop.body')}</p>
      <ul class="reasons">
        {decision.reasons.map((reason) => (
          <li key={reason.rule}>
            <b>{pick(reason.message)}</b>
            <span>{pick(reason.remedy)}</span>
          </li>
        ))}
      </ul>
      <section class="stack">
        <h2>{w('elig.way')}</h2>
        {reachable(decision.ways).map((way) => (
          <WayOut
            key={`${way.kind} ${pick(way.title)}`}
            way={way}
            onUpload={onAgain}
            onOther={onAgain}
            review={<ReviewBox decision={decision.id} />}
          />
        ))}
        <Button onPress={onAgain}>{w('stop.again')}</Button>
        <Button look="quiet" onPress={onCancel} busy={busy}>
          {w('stop.cancel')}
        </Button>
      </section>
      <details>
        <summary>{w('elig.rules')}</summary>
        <ul class="stack">
          {decision.reasons.map((reason) => (
            <li key={reason.rule} class="tight">
              <b class="mono">{reason.rule}</b>
              <span class="meta">{reason.citation}</span>
            </li>
          ))}
        </ul>
        <p class="meta">{w('elig.number', { id: decision.id.slice(-8) })}</p>
      </details>
    </>
  )
}
