// The administrator's bench: every version of every policy, what it says, whom it would let in, who approved it, and the switch.
import { useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso'
import { get, post } from '../api/client'
import { type Deed, useDeed, useResource } from '../api/resource'
import { session } from '../api/session'
import type { Policy, PolicyState } from '../api/types/policy'
import { fileSize } from '../booking/proof'
import { moment } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { Button, Field, Loading, Notice, ProblemNote, Tick, useTitle } from '../ui/parts'
import { DraftForm } from './draft'
import { Simulation } from './simulation'
import { difference, lines, older } from './terms'
import { w } from './words'

const tones: Record<PolicyState, string> = {
  draft: '',
  simulated: 'info',
  approved: 'info',
  active: 'ok',
  suspended: 'danger',
  revoked: 'danger',
  rejected: '',
  expired: 'warn',
}

/** Who only reads, such as the regulator, is offered no deed. */
export const mayAct = () =>
  session.value.state === 'in' && session.value.me.roles.some(({ role }) => role === 'administrator')

export function StateTag({ state }: { state: PolicyState }) {
  return <span class={`tag ${tones[state]}`}>{w(`state.${state}`)}</span>
}

export function Workbench() {
  const { params } = useRoute()
  const { route } = useLocation()
  const policies = useResource('policies', (signal) => get<Policy[]>('/policies', signal), ['policy.changed'])
  const list = policies.value ?? []
  const drafting = params.id === 'new'
  const current = drafting ? undefined : (list.find(({ id }) => id === params.id) ?? list[0])
  useTitle(w('pol.title'))
  return (
    <div class="columns list">
      <aside class="column" aria-label={w('pol.title')}>
        <h2>{w('pol.title')}</h2>
        <ProblemNote problem={policies.problem} again={policies.refresh} />
        {!policies.value && !policies.problem && <Loading />}
        {mayAct() && (
          <Button look="primary" icon="pen" onPress={() => route('/staff/policies/new')} test="draft-policy">
            {w('pol.new')}
          </Button>
        )}
        <div class="queue">
          {list.map((one) => (
            <a
              key={one.id}
              href={`/staff/policies/${one.id}`}
              aria-current={one.id === current?.id ? 'true' : undefined}
              data-test="policy"
            >
              <span class="top">
                <span>{one.ref}</span>
                <StateTag state={one.state} />
              </span>
              <span class="meta">{one.terms.title}</span>
            </a>
          ))}
        </div>
        {policies.value?.length === 0 && <p class="meta">{w('pol.none')}</p>}
        <p class="push" />
        <a class="button" href="/staff/rules">
          {w('pol.rules')}
        </a>
      </aside>
      {drafting && mayAct() ? (
        <DraftForm key="new" onSaved={(one) => opened(one, policies.refresh, route)} />
      ) : current ? (
        <Version key={current.id} policy={current} all={list} refresh={policies.refresh} />
      ) : (
        <main class="column paper" id="content">
          <h1>{w('pol.title')}</h1>
          <p>{w('pol.lead')}</p>
        </main>
      )}
    </div>
  )
}

const opened = (one: Policy, refresh: () => void, route: (href: string) => void) => {
  refresh()
  route(`/staff/policies/${one.id}`)
}

function Version({ policy, all, refresh }: { policy: Policy; all: Policy[]; refresh: () => void }) {
  const { route } = useLocation()
  const [editing, setEditing] = useState(false)
  const deed = useDeed()
  const last = older(all, policy)
  const act = (path: string, body: unknown = {}) =>
    deed.run(async () => {
      await post<Policy>(`/policies/${policy.id}/${path}`, body)
      refresh()
    })
  if (editing)
    return (
      <DraftForm
        from={policy}
        onBack={() => setEditing(false)}
        onSaved={(one) => {
          setEditing(false)
          opened(one, refresh, route)
        }}
      />
    )
  const { state } = policy
  const open = state === 'draft' || state === 'simulated' || state === 'approved'
  return (
    <main class="column paper" id="content" data-test="version" data-state={state}>
      <div class="top">
        <h1>
          {policy.ref} {policy.terms.title}
        </h1>
        <StateTag state={state} />
      </div>
      <p class="meta">
        {policy.institution ? `${policy.institution} · ` : ''}
        {policy.drafted_by ? w('pol.by', { name: policy.drafted_by }) : w('pol.folder')} · {moment(policy.drafted_at)}
      </p>
      <ProblemNote problem={deed.problem} />
      {open && policy.lacks.length > 0 && (
        <Notice tone="warn" title={w('lacks.title')}>
          <ul>
            {policy.lacks.map((one) => (
              <li key={one.en}>{pick(one)}</li>
            ))}
          </ul>
        </Notice>
      )}
      <section class="card">
        <h2>{w('terms.title')}</h2>
        <dl class="facts terms">
          {lines(policy.terms, policy.doctors)
            .filter(({ limits }) => limits)
            .map(({ key, name, text }) => (
              <div key={key}>
                <dt>{name}</dt>
                <dd>{text}</dd>
              </div>
            ))}
          <div>
            <dt>{w('f.any')}</dt>
            <dd>
              {lines(policy.terms)
                .filter(({ limits }) => !limits)
                .map(({ name }) => name)
                .join('、')}
            </dd>
          </div>
          <div>
            <dt>{w('pol.hash')}</dt>
            <dd class="mono">{policy.sha256.slice(0, 16)}</dd>
          </div>
        </dl>
        <div class="row">
          {policy.file ? (
            <a
              class="button"
              href={`/api/v1/policies/${policy.id}/file`}
              target="_blank"
              rel="noreferrer"
              data-test="policy-file"
            >
              <Icon name="file" /> {w('file.open')}
            </a>
          ) : (
            <span class="meta">{w('file.none')}</span>
          )}
          {mayAct() && <Button onPress={() => setEditing(true)}>{w('pol.next')}</Button>}
        </div>
        {policy.file && (
          <p class="meta">{w('file.meta', { name: policy.file.file_name, size: fileSize(policy.file.size) })}</p>
        )}
      </section>
      {last && <Changes was={last} policy={policy} />}
      <Simulation
        simulation={policy.simulation}
        busy={deed.busy}
        onGo={open && mayAct() && policy.drafted_by !== '' ? (days) => void act('simulate', { days }) : undefined}
      />
      {state === 'simulated' && (
        <Approval policy={policy} deed={deed} onGo={() => void act('approve', { sha256: policy.sha256 })} />
      )}
      {state === 'approved' && mayAct() && (
        <section class="card">
          <p>{w('act.say')}</p>
          <div class="row">
            <Button look="primary" busy={deed.busy} onPress={() => void act('activate')} test="activate">
              {w('act.go')}
            </Button>
          </div>
        </section>
      )}
      {mayAct() && <Ending state={state} deed={deed} onEnd={(how, reason) => void act(how, { reason })} />}
      <section class="stack">
        <h2>{w('events.title')}</h2>
        <ol class="tight">
          {policy.events.map((event) => (
            <li key={event.at + event.deed}>
              {moment(event.at)} {event.name || w('pol.folder')} {w(`deed.${event.deed}` as 'deed.draft')}
              {event.reason ? `：${event.reason}` : ''}
            </li>
          ))}
        </ol>
      </section>
    </main>
  )
}

function Changes({ was, policy }: { was: Policy; policy: Policy }) {
  const changed = difference(was.terms, policy.terms, [...was.doctors, ...policy.doctors])
  return (
    <section class="card" data-test="diff">
      <h2>{w('diff.title', { ref: was.ref })}</h2>
      {changed.length === 0 ? (
        <p>{w('diff.same')}</p>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">{w('terms.title')}</th>
                <th scope="col">{w('diff.was')}</th>
                <th scope="col">{w('diff.now')}</th>
              </tr>
            </thead>
            <tbody>
              {changed.map((one) => (
                <tr key={one.key}>
                  <th scope="row">{one.name}</th>
                  <td>
                    <del>{one.was}</del>
                  </td>
                  <td>
                    <ins>{one.now}</ins>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

function Approval({ policy, deed, onGo }: { policy: Policy; deed: Deed; onGo: () => void }) {
  const [read, setRead] = useState(false)
  const mine = policy.approvals.some((one) => one.mine)
  return (
    <section class="card" data-test="approval">
      <h2>{w('appr.title')}</h2>
      <p>{w('appr.need', { n: policy.approvals.length })}</p>
      {policy.approvals.map((one) => (
        <p key={one.name + one.at} class="row">
          <Icon name="check" /> {one.name} <span class="meta">{moment(one.at)}</span>
        </p>
      ))}
      {policy.mine && <p class="meta">{w('appr.mine')}</p>}
      {mine && <p class="meta">{w('appr.done')}</p>}
      {!policy.mine && !mine && mayAct() && (
        <>
          <Tick label={w('appr.read')} checked={read} onChange={setRead} test="approve-read" />
          <div class="row">
            <Button
              look="primary"
              busy={deed.busy}
              disabled={!read || policy.lacks.length > 0}
              onPress={onGo}
              test="approve"
            >
              {w('appr.go')}
            </Button>
          </div>
        </>
      )}
    </section>
  )
}

type How = 'suspend' | 'revoke' | 'reject'
const endings: Partial<Record<PolicyState, How[]>> = {
  draft: ['reject'],
  simulated: ['reject'],
  approved: ['reject'],
  active: ['suspend', 'revoke'],
  suspended: ['revoke'],
}

/** Ending takes a reason, which colleagues and the regulator read. */
function Ending({ state, deed, onEnd }: { state: PolicyState; deed: Deed; onEnd: (how: How, reason: string) => void }) {
  const [how, setHow] = useState<How>()
  const [reason, setReason] = useState('')
  const offered = endings[state] ?? []
  if (offered.length === 0) return null
  if (how === undefined || !offered.includes(how))
    return (
      <div class="row">
        {offered.map((one) => (
          <Button key={one} look={one === 'suspend' ? 'danger' : 'plain'} onPress={() => setHow(one)} test={one}>
            {w(`end.${one}`)}
          </Button>
        ))}
      </div>
    )
  return (
    <form
      class="card"
      onSubmit={(event) => {
        event.preventDefault()
        onEnd(how, reason.trim())
      }}
    >
      <h2>{w(`end.${how}`)}</h2>
      {how === 'suspend' && <p>{w('end.suspend.say')}</p>}
      <Field label={w('end.reason')} name="reason" value={reason} onInput={setReason} maxLength={500} />
      <div class="row">
        <Button look="danger" type="submit" busy={deed.busy} disabled={reason.trim() === ''} test="end-policy">
          {w(`end.${how}`)}
        </Button>
        <Button look="quiet" onPress={() => setHow(undefined)}>
          {w('end.back')}
        </Button>
      </div>
    </form>
  )
}
