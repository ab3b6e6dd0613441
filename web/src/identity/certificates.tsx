// Certificates: a person makes, renews and ends the own; an administrator looks after the hospital's seal and ends others'.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import { me } from '../api/session'
import type { Certificate, CertificateHouse, RevokeReason } from '../api/types/identity'
import { isoDay } from '../i18n/format'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { w } from './certificate_words'

export function CertificatesPage() {
  useTitle(w('title'))
  return (
    <main class="column paper" id="content">
      <h1>{w('title')}</h1>
      {me().practitioner_id && <Mine />}
      {me().roles.some(({ role }) => role === 'administrator') && <House />}
    </main>
  )
}

const tone = { valid: 'ok', ended: 'warn', revoked: '' } as const

function Facts({ one }: { one: Certificate }) {
  return (
    <div class="tight" data-test="certificate" data-state={one.state}>
      <span>
        <b>{one.holder}</b> <span class={`tag ${tone[one.state]}`}>{w(`state.${one.state}`)}</span>{' '}
        <span class="tag">{one.alg}</span>
      </span>
      <span class="meta">
        {w('until', { from: isoDay(one.from), to: isoDay(one.until) })}
        {one.revoked_at &&
          ` · ${isoDay(one.revoked_at)} ${one.revoked_reason ? w(`reason.${one.revoked_reason}`) : ''}`}
      </span>
      <span class="meta serial">
        {one.issuer ? w('by', { issuer: one.issuer, serial: one.serial ?? '' }) : w('by.none')}
      </span>
    </div>
  )
}

function Mine() {
  const own = useResource('certificates', (signal) => get<Certificate[]>('/certificates', signal))
  const [current, setCurrent] = useState('')
  const [fresh, setFresh] = useState('')
  const [again, setAgain] = useState('')
  const [made, setMade] = useState(false)
  const [ending, setEnding] = useState(false)
  const deed = useDeed()
  const valid = own.value?.find(({ state }) => state === 'valid')
  const past = own.value?.filter(({ state }) => state !== 'valid') ?? []
  const differ = again !== '' && again !== fresh
  return (
    <section class="card stack" data-test="my-certificate">
      <h2>{w('mine')}</h2>
      {!own.value && (own.problem ? <ProblemNote problem={own.problem} again={own.refresh} /> : <Loading />)}
      {valid && <Facts one={valid} />}
      {own.value && !valid && <Notice tone="warn" title={w('mine.none')} />}
      {made && <Notice tone="ok" live title={w('made')} />}
      {own.value && (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            setMade(false)
            void deed.run(async () => {
              await post('/certificates', valid ? { current, passphrase: fresh } : { passphrase: fresh })
              for (const clear of [setCurrent, setFresh, setAgain]) clear('')
              setMade(true)
              own.refresh()
            })
          }}
        >
          {valid && <h3>{w('mine.next')}</h3>}
          <ProblemNote problem={deed.problem} />
          <div class="numbers">
            {valid && (
              <Field
                label={w('current')}
                name="current"
                type="password"
                autoComplete="off"
                value={current}
                onInput={setCurrent}
              />
            )}
            <Field
              label={w('fresh')}
              name="fresh"
              type="password"
              autoComplete="new-password"
              value={fresh}
              onInput={setFresh}
            />
            <Field
              label={w('again')}
              name="again"
              type="password"
              autoComplete="new-password"
              value={again}
              onInput={setAgain}
              error={differ ? w('differ') : undefined}
            />
          </div>
          <p class="meta">{w('fresh.hint')}</p>
          <div class="row">
            <Button
              look="primary"
              type="submit"
              busy={deed.busy}
              disabled={fresh.length < 6 || again !== fresh || (valid && current === '')}
              test="make-certificate"
            >
              {w(valid ? 'renew' : 'make')}
            </Button>
            {valid && (
              <Button icon="stop" onPress={() => setEnding(true)} test="end-certificate">
                {w('end')}
              </Button>
            )}
          </div>
        </form>
      )}
      {valid && ending && (
        <Ending
          act={() => post(`/certificates/${valid.key_id}/end`)}
          onClose={() => setEnding(false)}
          onDone={own.refresh}
        />
      )}
      <Past list={past} />
    </section>
  )
}

function Past({ list }: { list: Certificate[] }) {
  if (list.length === 0) return null
  return (
    <details>
      <summary>{w('past')}</summary>
      <div class="stack">
        {list.map((one) => (
          <Facts key={one.key_id} one={one} />
        ))}
      </div>
    </details>
  )
}

/** Ending a certificate is final, and so is asked. `reasons`: an administrator says why. */
function Ending({
  act,
  onClose,
  onDone,
  reasons,
}: {
  act: (reason: RevokeReason) => Promise<unknown>
  onClose: () => void
  onDone: () => void
  reasons?: boolean
}) {
  const [reason, setReason] = useState<RevokeReason>('key_compromise')
  const deed = useDeed()
  return (
    <Dialog title={w('end.title')} onClose={onClose}>
      <p>{w('end.say')}</p>
      {reasons && (
        <Select
          label={w('reason')}
          value={reason}
          options={(['key_compromise', 'ended'] as const).map((value) => ({ value, label: w(`reason.${value}`) }))}
          onChange={setReason}
        />
      )}
      <ProblemNote problem={deed.problem} />
      <Button
        look="danger"
        busy={deed.busy}
        onPress={() =>
          void deed.run(async () => {
            await act(reason)
            onDone()
            onClose()
          })
        }
        test="end-yes"
      >
        {w('end.yes')}
      </Button>
    </Dialog>
  )
}

function House() {
  const house = useResource('house-certificates', (signal) =>
    get<CertificateHouse>('/institution-certificates', signal),
  )
  const [ending, setEnding] = useState<Certificate>()
  const deed = useDeed()
  if (!house.value) return house.problem ? <ProblemNote problem={house.problem} again={house.refresh} /> : <Loading />
  const { places, certificates } = house.value
  const valid = certificates.filter(({ state }) => state === 'valid')
  const people = valid.filter(({ seal }) => !seal)
  const revoke = (one: Certificate) => (
    <Button icon="stop" onPress={() => setEnding(one)} test="revoke">
      {w('revoke')}
    </Button>
  )
  return (
    <>
      <section class="card stack" data-test="seals">
        <h2>{w('seals')}</h2>
        <p class="meta">{w('seals.say')}</p>
        <ProblemNote problem={deed.problem} />
        {places.map((place) => {
          const seal = valid.find((one) => one.institution_id === place.id)
          return (
            <div
              class="row certificate"
              key={place.id}
              data-test="seal"
              data-place={place.name}
              data-sealed={seal !== undefined}
            >
              <div class="grow">
                {seal ? <Facts one={seal} /> : <Notice tone="warn" title={`${place.name} · ${w('seal.none')}`} />}
              </div>
              <Button
                look={seal ? 'plain' : 'primary'}
                busy={deed.busy}
                onPress={() =>
                  void deed.run(async () => {
                    await post('/institution-certificates/seal', { institution_id: place.id })
                    house.refresh()
                  })
                }
                test="make-seal"
              >
                {w(seal ? 'seal.renew' : 'seal.make')}
              </Button>
              {seal && revoke(seal)}
            </div>
          )
        })}
      </section>
      <section class="card stack" data-test="people">
        <h2>{w('people')}</h2>
        {people.length === 0 && <p class="meta">{w('people.none')}</p>}
        {people.map((one) => (
          <div class="row certificate" key={one.key_id}>
            <div class="grow">
              <Facts one={one} />
            </div>
            {revoke(one)}
          </div>
        ))}
        <Past list={certificates.filter(({ state }) => state !== 'valid')} />
      </section>
      {ending && (
        <Ending
          reasons
          act={(reason) => post(`/institution-certificates/${ending.key_id}/revoke`, { reason })}
          onClose={() => setEnding(undefined)}
          onDone={house.refresh}
        />
      )}
    </>
  )
}
