// The answer of the rules as a page: verdict, reasons, cost, ways out. One component for all six verdicts;
// a refusal is a result, never an error.

import type { ComponentChildren } from 'preact'
import type { Decision, Verdict, Way } from '../api/types/booking'
import { moment } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Icon, type IconName } from '../ui/icons'
import { Button, Notice } from '../ui/parts'
import { EmergencyPage } from './emergency'
import { w } from './words'

type Face = { tone: 'ok' | 'info' | 'warn' | 'danger'; icon: IconName; title: (decision: Decision) => string }

const faces: Record<Exclude<Verdict, 'EMERGENCY'>, Face> = {
  ALLOW: { tone: 'ok', icon: 'check', title: () => w('elig.allow') },
  ALLOW_COND: { tone: 'info', icon: 'info', title: () => w('elig.cond') },
  REQUIRE: {
    tone: 'warn',
    icon: 'warn',
    title: (d) => w('elig.need', { n: d.reasons.filter((r) => r.outcome === 'REQUIRE').length || 1 }),
  },
  REDIRECT_OFFLINE: { tone: 'warn', icon: 'hospital', title: () => w('elig.offline') },
  DENY: { tone: 'danger', icon: 'stop', title: () => w('elig.deny') },
}

export type DecisionDeeds = {
  onGo: () => void
  onUpload: () => void
  onAgain: () => void
  onOther: () => void
  onMistake: () => void
}

/** A record was handed in and the hospital has still to check it: nothing for the patient to do. */
export const waitsForHospital = (decision: Decision) => decision.reasons.some((reason) => reason.rule === 'VIS-04')

type DecisionProps = DecisionDeeds & {
  decision: Decision
  busy?: boolean
  /** Of the hospital, for who wants to ask a person. */
  phone?: string | undefined
  /** How to ask for a human review, where the server keeps the decision. */
  review?: ComponentChildren
}

export function DecisionPage({ decision, busy, phone, review, ...deeds }: DecisionProps) {
  if (decision.verdict === 'EMERGENCY') return <EmergencyPage onMistake={deeds.onMistake} />
  const face = faces[decision.verdict]
  const goes = decision.verdict === 'ALLOW' || decision.verdict === 'ALLOW_COND'
  const pending = waitsForHospital(decision)
  return (
    <>
      <div class={`verdict ${face.tone}`} data-test="verdict" data-verdict={decision.verdict}>
        <Icon name={face.icon} />
        <h1 tabIndex={-1}>{face.title(decision)}</h1>
      </div>
      {decision.verdict === 'ALLOW' && <p>{w('elig.ok.body')}</p>}
      {decision.reasons.length > 0 && (
        <section class="stack">
          <h2 class="visually-hidden">{w('elig.why')}</h2>
          <ul class="reasons">
            {decision.reasons.map((reason) => (
              <li key={reason.rule}>
                <b>{pick(reason.message)}</b>
                {pick(reason.remedy) && <span>{pick(reason.remedy)}</span>}
              </li>
            ))}
          </ul>
        </section>
      )}
      {decision.prospect && !pending && <ProspectNote prospect={decision.prospect} />}
      {pending && <Notice tone="info" live title={w('elig.pending')} />}
      {!goes && <p class="meta">{w('elig.free')}</p>}
      {goes ? (
        <Button look="primary" onPress={deeds.onGo} busy={busy ?? false} test="choose-doctor">
          {w('elig.doctor')}
        </Button>
      ) : (
        <section class="stack">
          <h2>{w('elig.way')}</h2>
          {reachable(decision.ways, phone).map((way) => (
            <WayOut
              key={`${way.kind} ${pick(way.title)}`}
              way={way}
              onUpload={deeds.onUpload}
              onOther={deeds.onOther}
              review={review}
            />
          ))}
          {decision.ways.length === 0 && <Button onPress={deeds.onOther}>{w('elig.other')}</Button>}
          <Button look="quiet" onPress={deeds.onAgain} busy={busy ?? false}>
            {w('elig.again')}
          </Button>
        </section>
      )}
      <details>
        <summary>{w('elig.rules')}</summary>
        <div class="stack">
          <ul class="stack">
            {decision.reasons.map((reason) => (
              <li key={reason.rule} class="tight">
                <b class="mono">{reason.rule}</b>
                <span class="meta">{reason.citation}</span>
              </li>
            ))}
          </ul>
          <p class="meta">{w('elig.set', { set: decision.rule_set, at: moment(decision.at) })}</p>
          <p class="meta">{w('elig.number', { id: decision.id.slice(-8) })}</p>
        </div>
      </details>
    </>
  )
}

/** What would change the answer. What no change can bring about is said too. */
function ProspectNote({ prospect }: { prospect: NonNullable<Decision['prospect']> }) {
  const passes = prospect.then === 'ALLOW' || prospect.then === 'ALLOW_COND'
  return (
    <section class="stack" data-test="prospect">
      <h2>{passes ? w('elig.change') : w('elig.change.not')}</h2>
      <ul class="tight">
        {[...new Set(prospect.changes.map((change) => pick(change.do)))].map((change) => (
          <li key={change}>{change}</li>
        ))}
      </ul>
    </section>
  )
}

/** A way out must work: where a person is to check, the phone is that of a hospital named beside it or in charge. */
export function reachable(ways: readonly Way[], hospital?: string): Way[] {
  const phone = ways.find((way) => way.phone)?.phone ?? hospital
  return ways.map((way) => (way.kind === 'human_review' && !way.phone && phone ? { ...way, phone } : way))
}

type WayProps = { way: Way; onUpload: () => void; onOther: () => void; review?: ComponentChildren }

export function WayOut({ way, onUpload, onOther, review }: WayProps) {
  if (way.kind === 'upload')
    return (
      <Button onPress={onUpload} icon="file" test="way-upload">
        {w('elig.upload')}
      </Button>
    )
  if (way.kind === 'other_doctor')
    return (
      <Button onPress={onOther} icon="person">
        {pick(way.title)}
      </Button>
    )
  const site = way.kind === 'offline_site'
  return (
    <div class="card">
      <div class="row">
        <Icon name={site ? 'hospital' : way.phone ? 'phone' : 'person'} />
        <b class="grow">{pick(way.title)}</b>
      </div>
      {pick(way.detail) && <p>{pick(way.detail)}</p>}
      {way.address && <p class="meta">{way.address}</p>}
      {way.phone && (
        <a class="button" href={`tel:${way.phone}`}>
          <Icon name="phone" />
          <span>{w('elig.call', { phone: way.phone })}</span>
        </a>
      )}
      {way.kind === 'human_review' && review}
    </div>
  )
}
