// One consult as each side sees it: what is asked, what is still missing, whose move it is.

import { type ComponentChildren, Fragment } from 'preact'
import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { get, post } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import type { Me } from '../api/types/identity'
import type { Adopt, Authored, Opinion, Signed, Teleconsult } from '../api/types/teleconsult'
import { clock, moment } from '../i18n/format'
import { w as identity } from '../identity/words'
import { Button, Field, Loading, Notice, ProblemNote } from '../ui/parts'
import { w as sign } from '../visit/desk_words'
import { consultDoor } from '../visit/door'
import { Kept } from '../visit/kept'
import { Arranging } from './arrange'
import { OfficeWord } from './countersign'
import { Addendum, ClockTag, Critical, Papers, Reasoned, Steps, useNow } from './panels'
import { Preparing } from './prepare'
import { Left, Releasing, Withdrawing } from './release'
import { maySee, partIn, roomOpen, stateTone } from './states'
import { StudyFact } from './study'
import { w } from './words'

export function Case({ id, me, onChanged }: { id: string; me: Me; onChanged: (next?: Teleconsult) => void }) {
  const found = useResource(`case ${id}`, (signal) => get<Teleconsult>(`/teleconsults/${id}`, signal), [
    'teleconsult.changed',
  ])
  const { route } = useLocation()
  const deed = useDeed()
  const once = useOnce()
  const now = useNow()
  if (!found.value)
    return (
      <main class="column paper" id="content">
        <ProblemNote problem={found.problem} again={found.refresh} />
        {found.loading && <Loading />}
      </main>
    )
  const one = found.value
  const part = partIn(me, one)
  const changed = (next: Teleconsult | undefined) => {
    if (next) found.set(next)
    else found.refresh()
    onChanged(next)
  }
  const act = (path: string, body: object = {}) =>
    void deed.run(async () => changed(await post<Teleconsult>(`/teleconsults/${id}/${path}`, body)))
  const over = one.state === 'closed' || one.state === 'declined' || one.state === 'cancelled'
  const writing = one.state === 'in_progress' && !one.live
  const answering = one.state === 'scheduled' || one.state === 'in_progress'
  const doctors = part === 'inviter' || part === 'expert'
  const open = ['submitted', 'triaged', 'scheduled', 'in_progress'].includes(one.state)
  const early = ['draft', 'with_office', 'submitted', 'needs_info', 'triaged', 'scheduled'].includes(one.state)
  const again = () =>
    void deed.run(async () => {
      const next = await post<Teleconsult>(`/teleconsults/${id}/again`, {}, once(id))
      onChanged()
      route(`/staff/cases/${next.id}`)
    })
  const unsigned = [...(one.expert ? [one.expert.practitioner] : []), ...one.further].filter(
    (each) =>
      !(each.id === one.expert?.practitioner.id
        ? one.opinion?.signed_at
        : one.opinions.find(({ author }) => author.id === each.id)?.signed_at),
  )
  return (
    <main class="column paper" id="content" data-test="case-page" data-state={one.state}>
      <div class="top">
        <h1>
          {one.person.name} {identity(`sex.${one.person.sex}`)} {identity('age', { n: one.person.age })}
        </h1>
        <span class="row">
          <ClockTag one={one} now={now} />
          <span class={`tag ${stateTone[one.state]}`}>{w(`state.${one.state}`)}</span>
        </span>
      </div>
      <ProblemNote problem={deed.problem} />
      {one.escalated_why ? (
        <Notice tone="danger" title={w('esc.title', { why: one.escalated_why })} />
      ) : (
        one.escalated_at && !over && <Notice tone="warn" title={w('k.escalated')} />
      )}
      <Critical one={one} reads={part === 'inviter'} act={act} busy={deed.busy} />
      {part === 'inviter' && <OfficeWord one={one} busy={deed.busy} onTakeBack={() => act('take-back')} />}
      {one.state === 'needs_info' && <Notice tone="warn" live title={w('n.needs', { what: one.needs ?? '' })} />}
      {one.needs_answer && one.state === 'submitted' && (
        <Notice tone="info" title={w('n.answered', { what: one.needs_answer })} />
      )}
      {writing && doctors && (
        <div class="row">
          <span class="grow">{w('l.written')}</span>
          {part === 'expert' && (
            <Button look="primary" icon="file" onPress={() => route(`/staff/cases/${id}/room`)} test="read-images">
              {w('l.read')}
            </Button>
          )}
          <Button icon="camera" busy={deed.busy} onPress={() => act('live', { on: true })} test="go-live">
            {w('l.live')}
          </Button>
        </div>
      )}
      {roomOpen(one) && part !== 'coordinator' && part !== 'none' && (
        <div class="row">
          <Button look="primary" icon="camera" onPress={() => route(`/staff/cases/${id}/room`)} test="enter-room">
            {w('c.enter')}
          </Button>
          {part === 'inviter' &&
            (one.patient_invited ? (
              <span class="tag ok">{w('c.invited')}</span>
            ) : (
              <Button icon="people" onPress={() => act('invite-patient')}>
                {w('c.invite')}
              </Button>
            ))}
          {answering && (
            <Button look="quiet" busy={deed.busy} onPress={() => act('live', { on: false })} test="go-back">
              {w('l.back')}
            </Button>
          )}
        </div>
      )}
      <dl class="facts">
        <dt>{w('c.question')}</dt>
        <dd>
          <b>{one.question}</b>
        </dd>
        {one.diagnosis && (
          <>
            <dt>{w('f.diagnosis')}</dt>
            <dd>{one.diagnosis}</dd>
          </>
        )}
        <dt>{w('c.summary')}</dt>
        <dd>{one.summary}</dd>
        {one.labs && (
          <>
            <dt>{w('c.labs')}</dt>
            <dd>{one.labs}</dd>
          </>
        )}
        <dt>{w('c.from')}</dt>
        <dd>
          {one.inviter.practitioner.name} {one.inviter.practitioner.title} · {one.inviter.institution.name}
          {one.contact && ` · ${one.contact}`}
        </dd>
        <dt>{w('f.kind')}</dt>
        <dd>
          {w(`kind.${one.kind}`)} · {w(`urgency.${one.urgency}`)} · {one.invited.name} {one.department}
          {one.liability === 'joint' && ` · ${w('kind.joint')}`}
        </dd>
        {one.expert && (
          <>
            <dt>{w('c.expert')}</dt>
            <dd>
              {one.expert.practitioner.name} {one.expert.practitioner.title} · {one.expert.institution.name}
              {one.further.map((each) => `、${each.name} ${each.title}`)}
              {answering && unsigned.length > 0 && (
                <div class="meta">{w('o.waits', { names: unsigned.map(({ name }) => name).join('、') })}</div>
              )}
              <Left released={one.released} />
            </dd>
          </>
        )}
        {one.start && (
          <>
            <dt>{w('c.time')}</dt>
            <dd>
              {moment(one.start)}
              {one.end && `-${clock(one.end)}`}
            </dd>
          </>
        )}
        {one.studies.map((study, n) => (
          <StudyFact key={study.study_uid || n} study={study} shares={part === 'inviter'} />
        ))}
        {one.consent && (
          <>
            <dt>{w('s.consent')}</dt>
            <dd>
              {w('s.consent.done', {
                by: one.consent.signed_by,
                relation: one.consent.relation,
                at: moment(one.consent.at),
              })}
            </dd>
          </>
        )}
        {one.countersigns
          .filter(({ signed }) => signed)
          .map((each) => (
            <Fragment key={each.at}>
              <dt>{w('cs.fact')}</dt>
              <dd>{w('cs.fact.by', { by: each.by, at: moment(each.at), sum: each.sha256.slice(0, 16) })}</dd>
            </Fragment>
          ))}
      </dl>
      {(one.state === 'decided' || one.state === 'closed') && (part === 'inviter' || part === 'expert') && (
        <Kept at={id} door={consultDoor(id)} seat={part} />
      )}
      {(one.state === 'draft' || one.state === 'needs_info') && part === 'inviter' && (
        <Preparing one={one} deed={deed} act={act} onChanged={changed} />
      )}
      {(one.state === 'submitted' || one.state === 'triaged') && part === 'inviter' && (
        <Notice tone="info" live title={w('s.submitted')} />
      )}
      {(one.state === 'submitted' || one.state === 'triaged') && part === 'coordinator' && (
        <Arranging one={one} act={act} busy={deed.busy} />
      )}
      {answering && part === 'coordinator' && unsigned.length > 0 && (
        <Releasing one={one} unsigned={unsigned} act={act} busy={deed.busy} />
      )}
      {one.state === 'needs_info' && part === 'coordinator' && <p class="meta">{w('b.waits')}</p>}
      {one.state === 'declined' && (
        <>
          <Notice tone="warn" title={w('c.declined', { why: one.reason ?? '' })} />
          {part === 'inviter' && (
            <div class="row">
              <Button look="primary" busy={deed.busy} onPress={again} test="again">
                {w('x.again')}
              </Button>
            </div>
          )}
        </>
      )}
      {one.state === 'cancelled' && <Notice tone="info" title={w('x.cancelled', { why: one.reason ?? '' })} />}
      {one.opinion && (
        <Said
          title={one.opinions.length > 0 ? w('o.of', { name: one.expert?.practitioner.name ?? '' }) : w('c.opinion')}
          opinion={one.opinion}
          test="opinion"
        >
          {one.opinion.signed_at && maySee(part, one.state) && part !== 'coordinator' && (
            <Button look="quiet" onPress={() => route(`/staff/cases/${id}/replay`)} test="open-replay">
              {w('replay.open')}
            </Button>
          )}
        </Said>
      )}
      {one.opinions.map((each) => (
        <Said
          key={each.author.id}
          title={w('o.of', { name: each.author.name })}
          opinion={each}
          test="further-opinion"
        />
      ))}
      {one.addenda.map((each) => (
        <Added key={each.sha256} one={each} />
      ))}
      {(one.state === 'opinion_signed' || one.state === 'decided') && part === 'expert' && (
        <div class="row">
          <Addendum busy={deed.busy} onSign={(body) => act('addenda', body)} />
        </div>
      )}
      {one.state === 'opinion_signed' && part === 'inviter' && (
        <Deciding busy={deed.busy} onDecide={(body) => act('decision', body)} />
      )}
      {one.decision && (
        <section class="card" data-test="decision">
          <h2>{w('c.decision')}</h2>
          <p>
            <b>{w('c.decided', { what: w(`adopt.${one.decision.content.adopt}`) })}</b> {one.decision.content.plan}
          </p>
        </section>
      )}
      {one.state === 'decided' && part === 'inviter' && (
        <div class="row">
          <Button look="primary" busy={deed.busy} onPress={() => act('close')} test="close-case">
            {w('c.close')}
          </Button>
        </div>
      )}
      {one.state === 'closed' && <Notice tone="ok" title={w('c.closed')} />}
      <Papers one={one} mayKeep={part !== 'none'} />
      <Steps id={id} state={one.state} />
      <div class="row">
        {open && (part === 'inviter' || part === 'coordinator') && (
          <Reasoned
            look="danger"
            label={w('esc.do')}
            field={w('esc.why')}
            onSay={(reason) => act('escalate', { reason })}
            test="escalate"
          />
        )}
        {answering && unsigned.some(({ id }) => id === me.practitioner_id) && (
          <Withdrawing
            busy={deed.busy}
            onSay={(said) =>
              void deed.run(async () => {
                await post<void>(`/teleconsults/${id}/withdraw`, said)
                onChanged()
                route('/staff/cases')
              })
            }
          />
        )}
        {one.consent && (early || one.state === 'in_progress') && part === 'inviter' && (
          <Reasoned
            label={w('x.withdraw')}
            field={w('x.withdraw.why')}
            look="danger"
            onSay={(reason) => act('consent/withdraw', { reason })}
            test="withdraw-consent"
          />
        )}
        {early && part === 'inviter' && (
          <Reasoned
            label={w('x.cancel')}
            field={w('x.why')}
            onSay={(reason) => act('cancel', { reason })}
            test="cancel"
          />
        )}
      </div>
    </main>
  )
}

/** What an expert wrote; a dissent says so first. */
function Said({
  title,
  opinion,
  test,
  children,
}: {
  title: string
  opinion: Signed<Opinion>
  test: string
  children?: ComponentChildren
}) {
  const { findings, advice, stance } = opinion.content
  return (
    <section class="card" data-test={test} data-signed={opinion.signed_at ? 'true' : 'false'}>
      <div class="top">
        <h2>{title}</h2>
        <span class="row">
          {stance && <span class={`tag ${stance === 'dissent' ? 'warn' : 'plain'}`}>{w(`stance.${stance}`)}</span>}
          {opinion.signed_at && <span class="tag ok">{w('c.signed', { at: clock(opinion.signed_at) })}</span>}
        </span>
      </div>
      <dl class="facts">
        <dt>{w('c.findings')}</dt>
        <dd>{findings}</dd>
        <dt>{w('c.advice')}</dt>
        <dd>{advice}</dd>
      </dl>
      {children && <div class="row">{children}</div>}
    </section>
  )
}

function Added({ one }: { one: Authored<{ text: string }> }) {
  return (
    <section class="card" data-test="added">
      <div class="top">
        <h2>
          {w('ad.title')} · {one.author.name}
        </h2>
        {one.signed_at && <span class="tag ok">{w('c.signed', { at: moment(one.signed_at) })}</span>}
      </div>
      <p>{one.content.text}</p>
    </section>
  )
}

const adoptions: readonly Adopt[] = ['full', 'partial', 'none']

function Deciding({
  busy,
  onDecide,
}: {
  busy: boolean
  onDecide: (body: { adopt: Adopt; plan: string; passphrase: string }) => void
}) {
  const [adopt, setAdopt] = useState<Adopt>('full')
  const [plan, setPlan] = useState('')
  const [passphrase, setPassphrase] = useState('')
  return (
    <form
      class="card"
      onSubmit={(event) => {
        event.preventDefault()
        onDecide({ adopt, plan: plan.trim(), passphrase })
      }}
    >
      <h2>{w('c.decision')}</h2>
      <p class="meta">{w('c.decision.text')}</p>
      <div class="row">
        {adoptions.map((value) => (
          <Button key={value} pressed={adopt === value} onPress={() => setAdopt(value)} test={`adopt-${value}`}>
            {w(`adopt.${value}`)}
          </Button>
        ))}
      </div>
      <Field label={w('c.plan')} name="plan" lines={3} value={plan} onInput={setPlan} maxLength={8000} />
      <div class="row">
        <div class="grow">
          <Field
            label={sign('sign.pass')}
            name="passphrase"
            type="password"
            value={passphrase}
            onInput={setPassphrase}
            autoComplete="off"
          />
        </div>
        <Button
          look="primary"
          type="submit"
          busy={busy}
          disabled={plan.trim() === '' || passphrase === ''}
          test="decide"
        >
          {w('c.decide')}
        </Button>
      </div>
    </form>
  )
}
