// The rule book as it is in force: in the order of evaluation, each with its citation, condition and stories.
import { useState } from 'preact/hooks'
import { get } from '../api/client'
import { useResource } from '../api/resource'
import type { Rule, RuleBook } from '../api/types'
import { pick } from '../i18n/i18n'
import { Field, Loading, ProblemNote, useTitle } from '../ui/parts'
import { w } from './words'

export function RuleList() {
  const book = useResource('rules', (signal) => get<RuleBook>('/eligibility/rules', signal))
  const [find, setFind] = useState('')
  useTitle(w('rule.title'))
  const word = find.trim().toLowerCase()
  const rules = (book.value?.rules ?? []).filter((rule) =>
    [rule.id, rule.citation, rule.message.zh, rule.message.en, rule.condition].some((one) =>
      one.toLowerCase().includes(word),
    ),
  )
  const phases = [...new Set(rules.map(({ phase }) => phase))]
  return (
    <main class="column paper" id="content">
      <div class="top">
        <h1>{w('rule.title')}</h1>
        <a href="/staff/policies">{w('pol.title')}</a>
      </div>
      <ProblemNote problem={book.problem} again={book.refresh} />
      {!book.value && !book.problem && <Loading />}
      {book.value && (
        <>
          <p class="meta">{w('rule.lead', { n: book.value.rules.length, set: book.value.version })}</p>
          <Field label={w('rule.find')} type="search" value={find} onInput={setFind} />
          {phases.map((phase) => (
            <section key={phase} class="stack">
              <h2>{w(`phase.${phase}` as 'phase.0')}</h2>
              {rules
                .filter((rule) => rule.phase === phase)
                .map((rule) => (
                  <OneRule key={rule.pack + rule.id} rule={rule} />
                ))}
            </section>
          ))}
        </>
      )}
    </main>
  )
}

function OneRule({ rule }: { rule: Rule }) {
  const { from, until } = rule.in_force
  return (
    <details class="card" data-test="rule">
      <summary>
        <b class="mono">{rule.id}</b> {pick(rule.message)} <span class="tag">{w(`v.${rule.outcome}`)}</span>{' '}
        {rule.pack !== 'cn' && <span class="tag info">{`${rule.pack} ${rule.jurisdiction}`}</span>}{' '}
        <span class="meta">{rule.citation}</span>
      </summary>
      <dl class="facts">
        <dt>{w('rule.condition')}</dt>
        <dd class="mono">{rule.condition}</dd>
        <dt>{w('rule.remedy')}</dt>
        <dd>{pick(rule.remedy)}</dd>
        <dt>{w('rule.stages')}</dt>
        <dd>{rule.applies_to.stages.map((stage) => w(`stage.${stage}` as 'stage.start')).join('、')}</dd>
        <dt>{w('rule.since')}</dt>
        <dd>
          {until ? w('rule.to', { from, until }) : w('rule.from', { from })} ·{' '}
          {w(`conf.${rule.confidence}` as 'conf.read')}
        </dd>
        <dt>{w('rule.stories')}</dt>
        <dd>
          <ul class="tight">
            {rule.cases.map((one) => (
              <li key={one.story}>
                <span lang="en">{one.story}</span>: {one.fires ? w('rule.fires') : w('rule.passes')}
              </li>
            ))}
          </ul>
        </dd>
      </dl>
    </details>
  )
}
