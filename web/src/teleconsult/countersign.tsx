// The medical office's desk: requests that wait for its countersign, emergencies that went out before it, and whether the hospital's
// requests need it at all. It shows what the office answers for: no summary, results or images, no whole name.
import { useState } from 'preact/hooks'
import { get, post, put } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { CountersignDesk, CountersignMatter, CountersignRule, Teleconsult } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Field, Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { Reasoned, useNow } from './panels'
import { span } from './states'
import { w } from './words'

export function CountersignPage() {
  const desk = useResource('countersigns', (signal) => get<CountersignDesk>('/countersigns', signal), [
    'teleconsult.changed',
  ])
  const deed = useDeed()
  const now = useNow()
  useTitle(w('cs.title'))
  const answer = (one: CountersignMatter, how: 'sign' | 'refuse', body: object) =>
    void deed.run(async () => {
      try {
        desk.set(await post<CountersignDesk>(`/countersigns/${one.id}/${how}`, { sha256: one.sha256, ...body }))
      } catch (problem) {
        desk.refresh() // a colleague was faster, or the text has changed: what is shown is the latest
        throw problem
      }
    })
  return (
    <main class="column paper" id="content" data-test="countersign-page">
      <h1>{w('cs.title')}</h1>
      <p class="meta">{w('cs.lead')}</p>
      <ProblemNote problem={deed.problem ?? desk.problem} again={desk.refresh} />
      {!desk.value && !desk.problem && <Loading />}
      {desk.value?.cases.length === 0 && <Notice tone="ok" title={w('cs.none')} />}
      {desk.value?.cases.map((one) => (
        <Matter
          key={one.id}
          one={one}
          now={now}
          busy={deed.busy}
          onSign={() => answer(one, 'sign', {})}
          onRefuse={(reason) => answer(one, 'refuse', { reason })}
        />
      ))}
      {desk.value?.rules.map((rule) => (
        <Rule key={`${rule.place.id} ${rule.version}`} rule={rule} onSet={desk.set} />
      ))}
    </main>
  )
}

function Matter({
  one,
  now,
  busy,
  onSign,
  onRefuse,
}: {
  one: CountersignMatter
  now: number
  busy: boolean
  onSign: () => void
  onRefuse: (reason: string) => void
}) {
  const minutes = Math.floor((one.due ? Date.parse(one.due) - now : Math.max(0, now - Date.parse(one.since))) / 60_000)
  const said = span(minutes)
  const t = 'days' in said ? w('k.days', { n: said.days }) : said.text
  return (
    <section class="card" data-test="countersign" data-owed={one.due ? 'true' : 'false'}>
      <div class="top">
        <h2>
          {one.patient} · {w(`kind.${one.kind}`)} · {w(`urgency.${one.urgency}`)}
        </h2>
        <span class={`tag ${!one.due ? 'info' : minutes < 0 ? 'danger' : 'warn'}`}>
          <Icon name="clock" /> {w(!one.due ? 'cs.waits' : minutes < 0 ? 'cs.late' : 'cs.owed', { t })}
        </span>
      </div>
      {one.due && (
        <p>
          {w('cs.gone', { at: moment(one.since) })}
          {one.told_at && ` ${w('cs.told', { at: moment(one.told_at) })}`}
        </p>
      )}
      <dl class="facts">
        <dt>{w('c.question')}</dt>
        <dd>
          <b>{one.question}</b>
        </dd>
        <dt>{w('cs.doctor')}</dt>
        <dd>
          {one.doctor.name} {one.doctor.title} · {one.inviter.name}
        </dd>
        <dt>{w('cs.invited')}</dt>
        <dd>
          {one.invited.name} {one.department}
        </dd>
        <dt>{w('s.consent')}</dt>
        <dd>{w('cs.consent', { how: w(`cs.consent.${one.consent}`), at: moment(one.consent_at) })}</dd>
        <dt>{w('cs.complete')}</dt>
        <dd>
          {one.missing.length === 0
            ? w('cs.complete.yes', { n: one.studies })
            : one.missing.map((what) => w(`m.${what}`)).join('、')}
        </dd>
        <dt>{w('cs.sum')}</dt>
        <dd class="mono">{one.sha256.slice(0, 16)}</dd>
      </dl>
      {one.own ? (
        <Notice tone="info" title={w('cs.own')} />
      ) : (
        <div class="row" aria-busy={busy}>
          <Button look="primary" busy={busy} onPress={onSign} test="countersign-sign">
            {w('cs.sign')}
          </Button>
          <Reasoned
            label={w(one.due ? 'cs.object' : 'cs.refuse')}
            field={w('cs.why')}
            onSay={onRefuse}
            test="countersign-refuse"
          />
        </div>
      )}
    </section>
  )
}

/** The hospital's setting, in versions. */
function Rule({ rule, onSet }: { rule: CountersignRule; onSet: (next: CountersignDesk) => void }) {
  const [reason, setReason] = useState('')
  const deed = useDeed()
  return (
    <form
      class="card stack"
      aria-label={rule.place.name}
      data-test="countersign-rule"
      data-needed={rule.needed ? 'true' : 'false'}
      onSubmit={(event) => {
        event.preventDefault()
        void deed.run(async () =>
          onSet(
            await put<CountersignDesk>(`/countersigns/rules/${rule.place.id}`, {
              version: rule.version,
              needed: !rule.needed,
              reason: reason.trim(),
            }),
          ),
        )
      }}
    >
      <h2>{rule.place.name}</h2>
      <p>{w(rule.needed ? 'cs.rule.on' : 'cs.rule.off')}</p>
      <ProblemNote problem={deed.problem} />
      <Field label={w('lm.reason')} name="countersigning_reason" value={reason} onInput={setReason} maxLength={500} />
      <div class="row">
        <Button type="submit" busy={deed.busy} disabled={reason.trim().length < 2} test="set-countersigning">
          {w(rule.needed ? 'cs.rule.stop' : 'cs.rule.start')}
        </Button>
      </div>
      {rule.history.length > 0 && (
        <details>
          <summary>{w('lm.history')}</summary>
          <ol class="bare tight">
            {rule.history.map((each) => (
              <li key={each.version}>
                {w(each.needed ? 'cs.rule.on' : 'cs.rule.off')}{' '}
                {w('lm.was', { n: each.version, by: each.by, at: moment(each.at), why: each.reason })}
              </li>
            ))}
          </ol>
        </details>
      )}
    </form>
  )
}

const aDay = 24 * 60 * 60_000

/** What the asking doctor reads of the medical office in the case: that it waits, that it gave it back, that it owes or has signed. */
export function OfficeWord({ one, busy, onTakeBack }: { one: Teleconsult; busy: boolean; onTakeBack: () => void }) {
  const last = one.countersigns.at(-1)
  const due = one.office_since ? Date.parse(one.office_since) + aDay : 0
  const late = due < useNow()
  return (
    <>
      {one.state === 'with_office' && one.office_since && (
        <>
          <Notice tone="info" live title={w('cs.since', { at: moment(one.office_since) })}>
            {w('cs.since.say')}
          </Notice>
          <div class="row">
            <Button busy={busy} onPress={onTakeBack} test="take-back">
              {w('cs.back')}
            </Button>
          </div>
        </>
      )}
      {one.state !== 'with_office' && one.office_since && (
        <Notice
          tone={late ? 'warn' : 'info'}
          title={w(late ? 'cs.owes.late' : 'cs.owes', { at: moment(new Date(due).toISOString()) })}
        />
      )}
      {last && !last.signed && !one.office_since && (
        <Notice
          tone="warn"
          live
          title={w(one.state === 'draft' ? 'cs.sent.back' : 'cs.objected', { by: last.by, at: moment(last.at) })}
        >
          {last.reason}
        </Notice>
      )}
    </>
  )
}
