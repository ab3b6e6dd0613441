// Administrators keep the registry of pharmacies, call lots back, and look at how prescribing goes.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import { session } from '../api/session'
import type { Pharmacy, RxQuality } from '../api/types/prescribe'
import { moment } from '../i18n/format'
import { Button, Field, Loading, Notice, ProblemNote, Tick, useTitle } from '../ui/parts'
import { w as desk } from './desk_words'
import { Limits } from './limits'
import { LongDocuments } from './long_documents'
import { PaperForm } from './paper_form'
import { w } from './pharmacy_words'

const tone = {
  applied: 'info',
  approved: 'ok',
  due: 'warn',
  unchecked: 'danger',
  refused: 'plain',
  suspended: 'danger',
  expired: 'warn',
} as const
const dispenses = ['approved', 'due', 'unchecked'] // approved, and the licence in date

export function Registry() {
  const list = useResource('registry', (signal) => get<Pharmacy[]>('/pharmacies/registry', signal))
  const [adding, setAdding] = useState(false)
  useTitle(w('reg.title'))
  const late = list.value?.filter(({ state }) => state === 'due' || state === 'unchecked').length ?? 0
  const administers =
    session.value.state === 'in' && session.value.me.roles.some(({ role }) => role === 'administrator')
  return (
    <main class="column paper" id="content">
      <div class="top">
        <h1>{w('reg.title')}</h1>
        {administers && (
          <Button icon="pen" onPress={() => setAdding(!adding)} test="add-pharmacy">
            {w('reg.new')}
          </Button>
        )}
      </div>
      <p class="meta">{w('reg.rule')}</p>
      {adding && (
        <Applying
          onDone={() => {
            setAdding(false)
            list.refresh()
          }}
        />
      )}
      {!list.value && (list.problem ? <ProblemNote problem={list.problem} again={list.refresh} /> : <Loading />)}
      {list.value?.length === 0 && <p>{w('reg.empty')}</p>}
      {late > 0 && <Notice tone="warn" title={w('reg.due.count', { n: late })} />}
      {list.value?.map((one) => (
        <Line key={one.id} pharmacy={one} administers={administers} onDone={list.refresh} />
      ))}
      {administers && <Limits />}
      {administers && <LongDocuments />}
      <Recall />
      <Quality />
    </main>
  )
}

function Line({ pharmacy, administers, onDone }: { pharmacy: Pharmacy; administers: boolean; onDone: () => void }) {
  const [asking, setAsking] = useState<'close' | 'recheck'>()
  const [note, setNote] = useState('')
  const deed = useDeed()
  const act = (path: string, body?: object) =>
    void deed.run(async () => {
      await post(`/pharmacies/${pharmacy.id}/${path}`, body)
      setAsking(undefined)
      setNote('')
      onDone()
    })
  const { state } = pharmacy
  const until = pharmacy.claims_until?.slice(0, 10) ?? ''
  return (
    <section class="card stack" data-test="pharmacy" data-state={state}>
      <div class="top">
        <b>{pharmacy.name}</b>
        <span class={`tag ${tone[state]}`}>{w(`reg.state.${state}`)}</span>
      </div>
      {state === 'due' && <Notice tone="warn" title={w('reg.due', { until })} />}
      {state === 'unchecked' && <Notice tone="danger" title={w('reg.missed', { until })} />}
      <span>
        {pharmacy.address} · {pharmacy.phone} · {pharmacy.pharmacist} ·{' '}
        {pharmacy.channels.map((one) => w(`channel.${one}`)).join('、')}
      </span>
      <span class="meta">
        {w('reg.until', { no: pharmacy.licence_no, date: pharmacy.licence_until.slice(0, 10) })} ·{' '}
        {w('reg.who', {
          a: pharmacy.applied_by,
          b: pharmacy.first_by ?? w('reg.nobody'),
          c: pharmacy.second_by ?? w('reg.nobody'),
        })}
      </span>
      {dispenses.includes(state) && pharmacy.checked_on && pharmacy.recheck_by && (
        <span class="meta" data-test="reading">
          {w('reg.read', { on: pharmacy.checked_on.slice(0, 10), by: pharmacy.recheck_by.slice(0, 10) })}
        </span>
      )}
      {pharmacy.documents.map((one) => (
        <span key={one.name + one.number}>
          {one.sha256 ? (
            <a
              href={`/api/v1/pharmacies/${pharmacy.id}/papers/${one.sha256}`}
              target="_blank"
              rel="noreferrer"
              data-test="paper"
            >
              {w('reg.paper.read', { name: one.name, no: one.number })}
            </a>
          ) : (
            w('reg.paper.none', { name: one.name, no: one.number })
          )}{' '}
          <span class="meta">{w('reg.paper.until', { date: one.until.slice(0, 10) })}</span>
        </span>
      ))}
      {pharmacy.note && <span>{w('reg.said', { note: pharmacy.note })}</span>}
      <ProblemNote problem={deed.problem} />
      {asking ? (
        <div class="row">
          <div class="grow">
            <Field
              label={w(asking === 'close' ? 'reg.note' : 'reg.recheck.note')}
              name="note"
              value={note}
              onInput={setNote}
              maxLength={300}
            />
          </div>
          <Button
            look={asking === 'close' ? 'danger' : 'primary'}
            busy={deed.busy}
            disabled={note.trim() === ''}
            onPress={() => act(asking, { note })}
            test={`${asking}-send`}
          >
            {w(asking === 'close' ? 'reg.close' : 'reg.recheck.done')}
          </Button>
          <Button onPress={() => setAsking(undefined)}>{w('reg.back')}</Button>
        </div>
      ) : (
        <div class="row">
          {administers && ['applied', 'suspended'].includes(state) && (
            <Button look="primary" busy={deed.busy} onPress={() => act('approve')} test="approve-pharmacy">
              {w('reg.approve')}
            </Button>
          )}
          {administers && dispenses.includes(state) && (
            <Button
              look={state === 'approved' ? 'plain' : 'primary'}
              onPress={() => setAsking('recheck')}
              test="recheck-pharmacy"
            >
              {w('reg.recheck')}
            </Button>
          )}
          {['applied', 'expired', ...dispenses].includes(state) && (
            <Button onPress={() => setAsking('close')} test="close-pharmacy">
              {w('reg.close')}
            </Button>
          )}
        </div>
      )}
    </section>
  )
}

function Applying({ onDone }: { onDone: () => void }) {
  const [online, setOnline] = useState(false)
  return (
    <PaperForm
      fields={{
        name: [w('reg.name')],
        code: [w('reg.code')],
        region: [w('reg.region')],
        address: [w('reg.address')],
        phone: [w('reg.phone')],
        business_scope: [w('reg.scope')],
        licence_no: [w('reg.licence')],
        licence_until: [w('reg.expires'), 'date'],
        pharmacist: [w('reg.pharmacist')],
        pharmacist_no: [w('reg.pharmacist.no')],
        pharmacist_until: [w('reg.pharmacist.until'), 'date'],
        licence_paper: [w('reg.paper.licence'), 'scan'],
        pharmacist_paper: [w('reg.paper.pharmacist'), 'scan'],
      }}
      send={w('reg.send')}
      test="apply"
      onSend={async ({ licence_paper, pharmacist_paper, pharmacist_no, pharmacist_until, ...form }) => {
        await post<Pharmacy>('/pharmacies', {
          ...form,
          channels: online ? ['walk_in', 'online_retail'] : ['walk_in'],
          documents: [
            { name: '药品经营许可证', number: form.licence_no, until: form.licence_until, sha256: licence_paper },
            { name: '执业药师注册证', number: pharmacist_no, until: pharmacist_until, sha256: pharmacist_paper },
          ],
        })
        onDone()
      }}
    >
      <Tick label={w('reg.post')} checked={online} onChange={setOnline} />
    </PaperForm>
  )
}

function Recall() {
  const [lot, setLot] = useState('')
  const [reason, setReason] = useState('')
  const [packs, setPacks] = useState<number>()
  const deed = useDeed()
  return (
    <section class="stack">
      <h2>{w('recall.title')}</h2>
      <p class="meta">{w('recall.say')}</p>
      <ProblemNote problem={deed.problem} />
      {packs !== undefined && <Notice tone="ok" live title={w('recall.done', { n: packs })} />}
      <div class="two">
        <Field label={w('counter.lot')} name="recall_lot" value={lot} onInput={setLot} />
        <Field label={w('reg.note')} name="recall_reason" value={reason} onInput={setReason} maxLength={300} />
      </div>
      <div class="row">
        <Button
          look="danger"
          busy={deed.busy}
          disabled={lot.trim() === '' || reason.trim() === ''}
          onPress={() =>
            void deed.run(async () => {
              const answer = await post<{ packs: number }>('/recalls', { lot: lot.trim(), reason })
              setPacks(answer.packs)
              setLot('')
              setReason('')
            })
          }
          test="recall"
        >
          {w('recall.go')}
        </Button>
      </div>
    </section>
  )
}

const minutes = (seconds: number) => Math.max(1, Math.round(seconds / 60))

function Quality() {
  const quality = useResource('rx quality', (signal) => get<RxQuality>('/prescriptions/quality', signal))
  const q = quality.value
  return (
    <section class="stack" data-test="quality">
      <h2>{w('q.title')}</h2>
      {!q && (quality.problem ? <ProblemNote problem={quality.problem} again={quality.refresh} /> : <Loading />)}
      {q && (
        <>
          <dl class="facts">
            <dt>{w('q.count')}</dt>
            <dd>{q.prescriptions}</dd>
            <dt>{w('q.interrupt')}</dt>
            <dd>{q.interrupting.toFixed(2)}</dd>
            <dt>{w('q.over')}</dt>
            <dd>{q.overridden}</dd>
            <dt>{w('q.second')}</dt>
            <dd>{q.seconded}</dd>
          </dl>
          {q.reviewed > 0 && <p>{w('q.review', { m: minutes(q.review_median_s), p: minutes(q.review_p95_s) })}</p>}
          {q.reasons.length > 0 && (
            <p>
              {w('q.reasons')}: {q.reasons.map((one) => `${desk(`over.${one.code}`)} ${one.n}`).join('、')}
            </p>
          )}
          {q.returns.length > 0 && (
            <p>
              {w('q.returns')}: {q.returns.map((one) => `${desk(`why.${one.code}`)} ${one.n}`).join('、')}
            </p>
          )}
          <h3>{w('q.watch')}</h3>
          {q.suspicious.length === 0 && <p class="meta">{w('q.watch.none')}</p>}
          <ul class="stack">
            {q.suspicious.map((one) => (
              <li key={one.no} class="tight">
                <b>
                  {one.doctor} · <span class="mono">{one.no}</span>
                </b>
                <span>
                  {[
                    one.instant && w('q.instant', { n: one.seconds }),
                    one.same && w('q.same'),
                    one.copied && w('q.copied'),
                    one.unproven && w('q.unproven'),
                  ]
                    .filter(Boolean)
                    .join('、')}
                </span>
                <span class="meta">{moment(one.signed_at)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}
