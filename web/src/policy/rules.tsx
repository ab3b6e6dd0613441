// The rule book as it is in force: in the order of evaluation, each with its citation, condition and stories.
import { useId, useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Rule, RuleBook, RuleTrial } from '../api/types/policy'
import { pick } from '../i18n/i18n'
import { Button, Field, Loading, ProblemNote, Select, useTitle } from '../ui/parts'
import { Found, spans } from './simulation'
import { w } from './words'
import { mayAct } from './workbench'

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
      <Trials />
    </main>
  )
}

function Trials() {
  const past = useResource('rule trials', (signal) => get<RuleTrial[]>('/eligibility/rules/simulations', signal))
  const [name, setName] = useState('')
  const [files, setFiles] = useState<File[]>([])
  const [days, setDays] = useState('90')
  const deed = useDeed()
  const id = useId()
  const go = () =>
    void deed.run(async () => {
      const texts = await Promise.all(files.map(async (file) => [file.name, await file.text()] as const))
      const body = { name: name.trim(), files: Object.fromEntries(texts), days: Number(days) }
      await post<RuleTrial>('/eligibility/rules/simulations', body)
      past.refresh()
    })
  return (
    <section class="stack" data-test="trials">
      {mayAct() && (
        <form
          class="card"
          noValidate
          onSubmit={(event) => {
            event.preventDefault()
            go()
          }}
        >
          <h2>{w('try.title')}</h2>
          <p class="meta">{w('try.lead')}</p>
          <ProblemNote problem={deed.problem} />
          <Field
            label={w('try.name')}
            hint={w('try.name.hint')}
            name="pack"
            value={name}
            onInput={setName}
            maxLength={40}
          />
          <div class="field">
            <label for={id}>{w('try.files')}</label>
            <input
              id={id}
              type="file"
              name="rules"
              multiple
              accept=".yaml"
              onChange={(event) => setFiles([...(event.currentTarget.files ?? [])])}
            />
          </div>
          <div class="row">
            <Select
              label={w('sim.days')}
              value={days}
              options={spans.map((n) => ({ value: String(n), label: w('sim.days.n', { n }) }))}
              onChange={setDays}
            />
            <Button
              look="primary"
              type="submit"
              busy={deed.busy}
              disabled={!/^[a-z0-9-]{2,40}$/.test(name.trim()) || files.length === 0}
              test="try-rules"
            >
              {w('sim.go')}
            </Button>
          </div>
        </form>
      )}
      <ProblemNote problem={past.problem} again={past.refresh} />
      {past.value && past.value.length > 0 && <h2>{w('try.past')}</h2>}
      {past.value?.map((trial) => (
        <section key={trial.at + trial.sha256} class="card" data-test="trial">
          <h3>{w('try.pack', { name: trial.pack })}</h3>
          <Found simulation={trial} />
        </section>
      ))}
    </section>
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
