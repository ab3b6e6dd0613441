// Cooperation agreements of hospitals: one side signs, the other accepts; without one in force no request goes out.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import { me } from '../api/session'
import type { Institution } from '../api/types/common'
import type { Agreement, NewAgreement, TeleconsultKind } from '../api/types/teleconsult'
import { isoDay } from '../i18n/format'
import { useHospital } from '../ui/hospital'
import { Button, Field, Loading, ProblemNote, Select, Tick, useTitle } from '../ui/parts'
import { consultKinds } from './request'
import { w } from './words'

const tone = { offered: 'warn', in_force: 'ok', to_come: 'info', expired: 'plain', ended: 'plain' } as const

export function AgreementsPage() {
  const list = useResource('agreements', (signal) => get<Agreement[]>('/agreements', signal))
  const signs = me().roles.some(({ role }) => role === 'administrator')
  useTitle(w('ag.title'))
  return (
    <main class="column paper" id="content" data-test="agreements">
      <h1>{w('ag.title')}</h1>
      <p class="meta">{w('ag.lead')}</p>
      <ProblemNote problem={list.problem} again={list.refresh} />
      {!list.value && !list.problem && <Loading />}
      {list.value?.length === 0 && <p>{w('ag.none')}</p>}
      {list.value?.map((one) => (
        <One key={one.id} one={one} signs={signs} onDone={list.refresh} />
      ))}
      {signs && <Offer onDone={list.refresh} />}
    </main>
  )
}

function One({ one, signs, onDone }: { one: Agreement; signs: boolean; onDone: () => void }) {
  const deed = useDeed()
  const other = one.offered_by === one.inviter.id ? one.invited : one.inviter
  const mine = me().roles.some(({ role, place }) => role === 'administrator' && place.id === other.id)
  const act = (path: string) =>
    void deed.run(async () => {
      await post<Agreement>(`/agreements/${one.id}/${path}`, {})
      onDone()
    })
  return (
    <section class="card" data-test="agreement" data-state={one.state}>
      <div class="top">
        <h2>{w('ag.between', { inviter: one.inviter.name, invited: one.invited.name })}</h2>
        <span class={`tag ${tone[one.state]}`}>{w(`ag.${one.state}`)}</span>
      </div>
      <p>
        {one.kinds.map((kind) => w(`kind.${kind}`)).join('、')} · {w('ag.span', { from: one.from, until: one.until })}
      </p>
      <details>
        <summary>{w('ag.terms')}</summary>
        <p>{one.terms}</p>
      </details>
      <p class="meta">{w('ag.signers', { names: one.signers.join('、') })}</p>
      <ProblemNote problem={deed.problem} />
      {signs && one.state !== 'ended' && one.state !== 'expired' && (
        <div class="row">
          {one.state === 'offered' && mine && (
            <Button look="primary" busy={deed.busy} onPress={() => act('accept')} test="accept-agreement">
              {w('ag.accept')}
            </Button>
          )}
          {one.state === 'offered' && !mine && <span class="meta">{w('ag.waits', { place: other.name })}</span>}
          <Button look="quiet" busy={deed.busy} onPress={() => act('end')} test="end-agreement">
            {w('ag.end')}
          </Button>
        </div>
      )}
    </section>
  )
}

function Offer({ onDone }: { onDone: () => void }) {
  const hospital = useHospital('administrator')
  const all = useResource('institutions', (signal) => get<Institution[]>('/institutions', signal))
  const others = (all.value ?? []).filter(({ id, kind }) => id !== hospital.id && kind !== 'pharmacy')
  const today = isoDay(new Date())
  const [other, setOther] = useState('')
  const [asks, setAsks] = useState<'we' | 'they'>('we')
  const [kinds, setKinds] = useState<TeleconsultKind[]>(['consult'])
  const [terms, setTerms] = useState('')
  const [from, setFrom] = useState(today)
  const [until, setUntil] = useState('')
  const deed = useDeed()
  const once = useOnce()
  const partner = other || others[0]?.id || ''
  const complete = partner && kinds.length > 0 && terms.trim().length >= 10 && from && until
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault()
        void deed.run(async () => {
          const body: NewAgreement = {
            inviter_id: asks === 'we' ? hospital.id : partner,
            invited_id: asks === 'we' ? partner : hospital.id,
            kinds,
            terms: terms.trim(),
            from,
            until,
          }
          await post<Agreement>('/agreements', body, once(body))
          setTerms('')
          onDone()
        })
      }}
    >
      <h2>{w('ag.new')}</h2>
      {hospital.chooser}
      <div class="two">
        <Select
          label={w('ag.other')}
          value={partner}
          options={others.map(({ id, name }) => ({ value: id, label: name }))}
          onChange={setOther}
        />
        <Select
          label={w('ag.who')}
          value={asks}
          options={(['we', 'they'] as const).map((value) => ({ value, label: w(`ag.who.${value}`) }))}
          onChange={setAsks}
        />
        <Field label={w('ag.from')} type="date" name="from" value={from} onInput={setFrom} />
        <Field label={w('ag.until')} type="date" name="until" value={until} onInput={setUntil} />
      </div>
      {consultKinds.map((kind) => (
        <Tick
          key={kind}
          label={w(`kind.${kind}`)}
          checked={kinds.includes(kind)}
          onChange={(on) => setKinds((now) => (on ? [...now, kind] : now.filter((each) => each !== kind)))}
        />
      ))}
      <Field label={w('ag.terms.field')} name="terms" lines={4} value={terms} onInput={setTerms} maxLength={8000} />
      <ProblemNote problem={deed.problem ?? all.problem} />
      <div class="row">
        <Button look="primary" type="submit" busy={deed.busy} disabled={!complete} test="offer-agreement">
          {w('ag.sign')}
        </Button>
      </div>
    </form>
  )
}
