// Local documents that let a hospital write long prescriptions above 84 days: filed by one administrator, read and
// approved by another.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { LongDocument, ReviewLimits } from '../api/types/prescribe'
import { Button, Loading, ProblemNote, Select } from '../ui/parts'
import { PaperForm } from './paper_form'
import { w } from './pharmacy_words'

const tone = { filed: 'info', waiting: 'plain', valid: 'ok', expired: 'warn', withdrawn: 'danger' } as const

export function LongDocuments() {
  const list = useResource('long documents', (signal) => get<LongDocument[]>('/long-documents', signal))
  const places = useResource('limits', (signal) => get<ReviewLimits[]>('/review/limits', signal))
  const [adding, setAdding] = useState(false)
  const hospitals = places.value?.map(({ institution_id, institution }) => ({
    value: institution_id,
    label: institution,
  }))
  return (
    <section class="stack" data-test="long-documents">
      <div class="top">
        <h2>{w('long.title')}</h2>
        <Button icon="pen" onPress={() => setAdding(!adding)} test="add-long-document">
          {w('long.new')}
        </Button>
      </div>
      <p class="meta">{w('long.say')}</p>
      {adding &&
        !hospitals &&
        (places.problem ? <ProblemNote problem={places.problem} again={places.refresh} /> : <Loading />)}
      {adding && hospitals?.[0] && (
        <Filing
          hospitals={hospitals}
          first={hospitals[0].value}
          onDone={() => {
            setAdding(false)
            list.refresh()
          }}
        />
      )}
      {!list.value && (list.problem ? <ProblemNote problem={list.problem} again={list.refresh} /> : <Loading />)}
      {list.value?.length === 0 && <p>{w('long.empty')}</p>}
      {list.value?.map((one) => (
        <Line key={one.id} document={one} onDone={list.refresh} />
      ))}
    </section>
  )
}

function Line({ document: one, onDone }: { document: LongDocument; onDone: () => void }) {
  const deed = useDeed()
  const act = (deedName: 'approve' | 'withdraw') =>
    void deed.run(async () => {
      await post(`/long-documents/${one.id}/${deedName}`)
      onDone()
    })
  const open = one.state !== 'withdrawn' && one.state !== 'expired'
  return (
    <section class="card stack" data-test="long-document" data-state={one.state}>
      <div class="top">
        <b>{one.title}</b>
        <span class={`tag ${tone[one.state]}`}>{w(`long.state.${one.state}`)}</span>
      </div>
      <span>
        {w('long.line', {
          number: one.number,
          issuer: one.issuer,
          days: one.max_days,
          from: one.valid_from.slice(0, 10),
          to: one.valid_until.slice(0, 10),
        })}
      </span>
      <span class="meta">
        {one.institution} · {w('long.who', { a: one.filed_by, b: one.approved_by ?? w('reg.nobody') })}
      </span>
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <a class="button" href={`/api/v1/long-documents/${one.id}/paper`} target="_blank" rel="noreferrer">
          {w('long.read')}
        </a>
        {one.state === 'filed' && (
          <Button look="primary" busy={deed.busy} onPress={() => act('approve')} test="approve-long-document">
            {w('long.approve')}
          </Button>
        )}
        {open && (
          <Button busy={deed.busy} onPress={() => act('withdraw')} test="withdraw-long-document">
            {w('long.withdraw')}
          </Button>
        )}
      </div>
    </section>
  )
}

function Filing({
  hospitals,
  first,
  onDone,
}: {
  hospitals: { value: string; label: string }[]
  first: string
  onDone: () => void
}) {
  const [place, setPlace] = useState(first)
  return (
    <PaperForm
      fields={{
        title: [w('long.name')],
        number: [w('long.number')],
        issuer: [w('long.issuer')],
        max_days: [w('long.days'), 'number'],
        valid_from: [w('long.from'), 'date'],
        valid_until: [w('long.to'), 'date'],
        sha256: [w('long.paper'), 'scan'],
      }}
      given={{ max_days: '90' }}
      send={w('long.send')}
      test="file-long-document"
      onSend={async (values) => {
        await post('/long-documents', { ...values, max_days: Number(values.max_days), institution_id: place })
        onDone()
      }}
    >
      {hospitals.length > 1 && <Select label={w('long.where')} value={place} options={hospitals} onChange={setPlace} />}
    </PaperForm>
  )
}
