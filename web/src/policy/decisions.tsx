// Decisions for who supervises: a list without names, and one decision with all it rests on, proved as it is opened.
import { useState } from 'preact/hooks'
import { useRoute } from 'preact-iso'
import { get, query } from '../api/client'
import { useResource } from '../api/resource'
import type { DecisionRecord, DecisionRow, Evidence, Verdict } from '../api/types/booking'
import { w as booking } from '../booking/words'
import { moment } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { Button, Field, Loading, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { factRows } from './terms'
import { w } from './words'

const verdicts: readonly Verdict[] = ['ALLOW', 'ALLOW_COND', 'REQUIRE', 'REDIRECT_OFFLINE', 'DENY', 'EMERGENCY']
const tones: Record<Verdict, string> = {
  ALLOW: 'ok',
  ALLOW_COND: 'info',
  REQUIRE: 'warn',
  REDIRECT_OFFLINE: 'warn',
  DENY: 'danger',
  EMERGENCY: 'danger',
}

const VerdictTag = ({ verdict }: { verdict: Verdict }) => (
  <span class={`tag ${tones[verdict]}`}>{w(`v.${verdict}`)}</span>
)

export function DecisionList() {
  const [verdict, setVerdict] = useState<Verdict | ''>('')
  const [rule, setRule] = useState('')
  const [before, setBefore] = useState('')
  const asked = query({ verdict, rule: rule.trim().toUpperCase(), before })
  const decisions = useResource(`decisions${asked}`, (signal) => get<DecisionRow[]>(`/decisions${asked}`, signal))
  useTitle(w('dec.title'))
  const list = decisions.value ?? []
  const last = list[list.length - 1]
  return (
    <main class="column paper" id="content">
      <h1>{w('dec.title')}</h1>
      <p class="meta">{w('dec.lead')}</p>
      <div class="row">
        <Select
          label={w('dec.verdict')}
          value={verdict}
          options={[
            { value: '' as const, label: w('dec.all') },
            ...verdicts.map((value) => ({ value, label: w(`v.${value}`) })),
          ]}
          onChange={(value) => {
            setBefore('')
            setVerdict(value)
          }}
        />
        <Field
          label={w('dec.rule')}
          name="rule"
          value={rule}
          maxLength={40}
          onInput={(value) => {
            setBefore('')
            setRule(value)
          }}
        />
      </div>
      <ProblemNote problem={decisions.problem} again={decisions.refresh} />
      {!decisions.value && !decisions.problem && <Loading />}
      {decisions.value && list.length === 0 && <p>{w('dec.none')}</p>}
      <div class="queue">
        {list.map((one) => (
          <a key={one.id} href={`/staff/decisions/${one.id}`} data-test="decision">
            <span class="top">
              <span>
                {moment(one.at)} · {w(`stage.${one.stage}` as 'stage.start')} · {one.icd10 || '—'} {one.department}
              </span>
              <VerdictTag verdict={one.verdict} />
            </span>
            <span class="meta">
              {one.institution} {one.rules.join(' ')}
            </span>
          </a>
        ))}
      </div>
      {list.length === 100 && last && <Button onPress={() => setBefore(last.at)}>{w('dec.earlier')}</Button>}
    </main>
  )
}

export function DecisionSheet() {
  const { params } = useRoute()
  const id = params.id ?? ''
  const decision = useResource(`decision ${id}`, (signal) => get<DecisionRecord>(`/decisions/${id}`, signal))
  useTitle(w('dec.title'))
  return (
    <main class="column paper" id="content" data-test="decision-sheet">
      <a href="/staff/decisions">
        <Icon name="back" /> {w('dec.back')}
      </a>
      <ProblemNote problem={decision.problem} again={decision.refresh} />
      {!decision.value && !decision.problem && <Loading />}
      {decision.value && <Sheet decision={decision.value} />}
    </main>
  )
}

function Sheet({ decision }: { decision: DecisionRecord }) {
  return (
    <>
      <div class="top">
        <h1>{w('dec.one', { id: decision.id.slice(-8) })}</h1>
        <VerdictTag verdict={decision.verdict} />
      </div>
      <dl class="facts">
        <dt>{w('dec.at')}</dt>
        <dd>{moment(decision.at)}</dd>
        <dt>{w('dec.stage')}</dt>
        <dd>{w(`stage.${decision.stage}` as 'stage.start')}</dd>
        <dt>{w('dec.place')}</dt>
        <dd>{decision.institution || '—'}</dd>
        <dt>{w('dec.doctor')}</dt>
        <dd>{decision.doctor || '—'}</dd>
      </dl>
      <section class="card">
        <h2>{w('dec.why')}</h2>
        {decision.reasons.length === 0 && <p>{w('dec.nothing')}</p>}
        <ol class="stack" data-test="reasons">
          {decision.reasons.map((reason) => (
            <li key={reason.rule} class="tight">
              <span>
                <b class="mono">{reason.rule}</b> {pick(reason.message)} <VerdictTag verdict={reason.outcome} />
              </span>
              <span class="meta">{reason.citation}</span>
              <span>{pick(reason.remedy)}</span>
            </li>
          ))}
        </ol>
        {decision.prospect && (
          <>
            <h3>{w('dec.change')}</h3>
            <ul class="tight">
              {decision.prospect.changes.map((change) => (
                <li key={change.rule + change.do.en}>
                  {change.rule} {pick(change.do)}
                </li>
              ))}
            </ul>
            <p>{w('dec.then', { verdict: w(`v.${decision.prospect.then}`) })}</p>
          </>
        )}
      </section>
      <Proof decision={decision} />
      <section class="card">
        <h2>{w('dec.law')}</h2>
        <p>
          {decision.rule_set} <span class="hash mono">{decision.rules_sha256}</span>
        </p>
        {decision.policies.length === 0 && <p class="meta">{w('dec.nopolicy')}</p>}
        <ul class="tight">
          {decision.policies.map((policy) => (
            <li key={policy.ref}>
              {policy.ref} {w(`state.${policy.status}` as 'state.draft')} <span class="hash mono">{policy.sha256}</span>
            </li>
          ))}
        </ul>
      </section>
      <Found facts={decision.facts} />
      <section class="card">
        <h2>{w('dec.facts')}</h2>
        <p class="hash mono">{decision.facts_sha256}</p>
        <table class="wrap">
          <thead>
            <tr>
              <th scope="col">{w('dec.fact')}</th>
              <th scope="col">{w('dec.value')}</th>
            </tr>
          </thead>
          <tbody>
            {factRows(decision.facts).map((row) => (
              <tr key={row.name}>
                <th scope="row" class="mono">
                  {row.name}
                </th>
                <td>{row.value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  )
}

type Known = { icd10: string; dx_date: string; source: string; verify: Evidence['verify']; origin?: Evidence['origin'] }

/** Earlier diagnoses among the facts, and where each was found. Facts of before that was kept don't say. */
function Found({ facts }: { facts: unknown }) {
  const list = (facts as { evidence?: Known[] | null } | undefined)?.evidence ?? []
  if (list.length === 0) return null
  return (
    <section class="card" data-test="found">
      <h2>{w('dec.evidence')}</h2>
      <ul class="tight">
        {list.map((one, at) => (
          <li key={`${at} ${one.icd10}`}>
            <b>{one.icd10}</b> {one.dx_date} · {booking(`ver.${one.verify}`)} ·{' '}
            {one.source === 'online' ? w('dec.online') : w('dec.physical')}
            {one.origin && ` · ${booking(`from.${one.origin}`)}`}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Proof({ decision }: { decision: DecisionRecord }) {
  const { finding } = decision
  if (decision.key_id === '') return <Notice tone="warn" title={w('dec.unsigned')} />
  const checks = [
    ['dec.signature', finding.signature],
    ['dec.p.facts', finding.facts],
    ['dec.p.rules', finding.rules],
    ['dec.p.policies', finding.policies],
    ['dec.p.verdict', finding.verdict],
  ] as const
  const good = checks.every(([, ok]) => ok)
  return (
    <section class="card" data-test="proof" data-good={good}>
      <h2>{w('dec.proof')}</h2>
      <Notice tone={good ? 'ok' : 'danger'} title={good ? w('dec.proved') : w('dec.unproved')}>
        <ul class="tight">
          {checks.map(([name, ok]) => (
            <li key={name}>
              <Icon name={ok ? 'check' : 'cross'} /> {w(name)}
            </li>
          ))}
          {finding.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      </Notice>
      <p class="meta">{w('dec.key', { id: decision.key_id })}</p>
      <div class="row">
        <a class="button" href={`/api/v1/decisions/${decision.id}/dossier`} download data-test="dossier">
          <Icon name="file" /> {w('dec.file')}
        </a>
      </div>
      <p class="meta">{w('dec.how')}</p>
    </section>
  )
}
