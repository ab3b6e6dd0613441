// For those who answer for a hospital: consults that wait too long, who was told when, and who sees to it. Nothing of the patient.
import { useEffect } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Overdue } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { Reasoned, useNow } from './panels'
import { span, stateTone } from './states'
import { w } from './words'

export function OverduePage() {
  const list = useResource('overdue', (signal) => get<Overdue[]>('/overdue-consults', signal), ['teleconsult.changed'])
  const deed = useDeed()
  const now = useNow()
  useTitle(w('od.title'))
  // Time makes a consult late, not a deed: nobody tells the page.
  useEffect(list.refresh, [now, list.refresh])
  const takeUp = (id: string, reason: string) =>
    void deed.run(async () => list.set(await post<Overdue[]>(`/overdue-consults/${id}/take-up`, { reason })))
  return (
    <main class="column paper" id="content" data-test="overdue-page">
      <h1>{w('od.title')}</h1>
      <p class="meta">{w('od.lead')}</p>
      <a href="/staff/overdue/limits">{w('lm.open')}</a>
      <ProblemNote problem={deed.problem ?? list.problem} again={list.refresh} />
      {!list.value && !list.problem && <Loading />}
      {list.value?.length === 0 && <Notice tone="ok" title={w('od.none')} />}
      {list.value?.map((one) => (
        <Late key={`${one.id} ${one.what}`} one={one} now={now} busy={deed.busy} onTakeUp={takeUp} />
      ))}
    </main>
  )
}

const lateWord = { clock: 'k.late', critical: 'od.unread', countersign: 'od.countersign' } as const

function Late({
  one,
  now,
  busy,
  onTakeUp,
}: {
  one: Overdue
  now: number
  busy: boolean
  onTakeUp: (id: string, words: string) => void
}) {
  const said = span(Math.floor((Date.parse(one.since) - now) / 60_000))
  const t = 'days' in said ? w('k.days', { n: said.days }) : said.text
  return (
    <section class="card" data-test="overdue" data-what={one.what}>
      <div class="top">
        <h2>
          {w(`kind.${one.kind}`)} · {one.department} · {w(`urgency.${one.urgency}`)}
        </h2>
        <span class="row">
          <span class="tag danger">
            <Icon name="clock" /> {w(lateWord[one.what], { t })}
          </span>
          <span class={`tag ${stateTone[one.state]}`}>{w(`state.${one.state}`)}</span>
        </span>
      </div>
      <dl class="facts">
        <dt>{w('od.between')}</dt>
        <dd>
          {one.inviter.name} → {one.invited.name} · {one.contact}
        </dd>
        <dt>{w('od.waits')}</dt>
        <dd>{one.waits.join('、')}</dd>
        <dt>{w('od.due')}</dt>
        <dd>{moment(one.since)}</dd>
        <dt>{w('od.told')}</dt>
        <dd>
          {one.told_at ? w('od.told.at', { names: one.told || '—', at: moment(one.told_at) }) : w('od.told.soon')}
        </dd>
      </dl>
      {one.what === 'countersign' ? (
        <a href="/staff/countersigns">{w('od.sign')}</a>
      ) : one.taken_at ? (
        <Notice tone="info" title={w('od.taken', { name: one.taken_by ?? '', at: moment(one.taken_at) })}>
          {one.taken_words}
        </Notice>
      ) : (
        <div class="row" aria-busy={busy}>
          <Reasoned
            look="primary"
            label={w('od.take')}
            field={w('od.words')}
            onSay={(words) => onTakeUp(one.id, words)}
            test="take-up"
          />
        </div>
      )}
    </section>
  )
}
