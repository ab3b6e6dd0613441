// The pharmacy's counter: a code claims, lines are handed over with lot and trace codes, or the prescription goes back.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Channel, Claim } from '../api/types/prescribe'
import { moment } from '../i18n/format'
import { w as identity } from '../identity/words'
import { Button, Field, Loading, Notice, ProblemNote, Select, Tick, useTitle } from '../ui/parts'
import { PaperAndProof } from './paper_proof'
import { drugName, rxUse } from './patient_rx'
import { w } from './pharmacy_words'

const channels: readonly Channel[] = ['walk_in', 'online_retail', 'hospital_pickup']

export function Counter() {
  const held = useResource('claims', (signal) => get<Claim[]>('/claims', signal))
  const [code, setCode] = useState('')
  const [channel, setChannel] = useState<Channel>('walk_in')
  const [done, setDone] = useState<Claim>()
  const deed = useDeed()
  useTitle(w('counter.title'))
  return (
    <main class="column paper" id="content">
      <h1>{w('counter.title')}</h1>
      <p class="meta">{w('counter.rule')}</p>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          setDone(undefined)
          void deed.run(async () => {
            await post<Claim>('/claims', { code: code.trim(), channel })
            setCode('')
            held.refresh()
          })
        }}
      >
        <div data-test="claim-problem">
          <ProblemNote problem={deed.problem} />
        </div>
        <div class="two">
          <Field
            label={w('counter.code')}
            name="code"
            hint={w('counter.hint')}
            value={code}
            onInput={setCode}
            autoComplete="off"
          />
          <Select
            label={w('counter.channel')}
            value={channel}
            options={channels.map((value) => ({ value, label: w(`channel.${value}`) }))}
            onChange={setChannel}
          />
        </div>
        <div class="row">
          <Button look="primary" type="submit" busy={deed.busy} disabled={code.trim().length < 20} test="claim">
            {w('counter.claim')}
          </Button>
          <span class="meta">{w('counter.offline')}</span>
        </div>
      </form>
      {done && (
        <div data-test="handed">
          <Notice tone="ok" live title={w('counter.handed')}>
            {done.state === 'dispensed' ? w('counter.done') : w('counter.handed.rest')}
          </Notice>
        </div>
      )}
      <h2>{w('counter.held')}</h2>
      {!held.value && (held.problem ? <ProblemNote problem={held.problem} again={held.refresh} /> : <Loading />)}
      {held.value?.length === 0 && <p class="meta">{w('counter.none')}</p>}
      {held.value?.map((claim) => (
        <Dispensing
          key={claim.part_id}
          claim={claim}
          onDone={(next) => {
            setDone(next)
            held.refresh()
          }}
        />
      ))}
    </main>
  )
}

type Hand = { take: boolean; days: string; lot: string; trace: string }

function Dispensing({ claim, onDone }: { claim: Claim; onDone: (next: Claim | undefined) => void }) {
  const [hands, setHands] = useState<Record<number, Hand>>({})
  const [counselled, setCounselled] = useState(false)
  const deed = useDeed()
  const hand = (line: number, remain: number): Hand =>
    hands[line] ?? { take: false, days: String(remain), lot: '', trace: '' }
  const set = (line: number, remain: number, edit: Partial<Hand>) =>
    setHands({ ...hands, [line]: { ...hand(line, remain), ...edit } })
  const codes = (text: string) => text.split(/[\s,，]+/).filter((one) => one !== '')
  const lines = claim.lines
    .map((line) => ({ line: line.line, ...hand(line.line, line.remain) }))
    .filter(({ take }) => take)
    .map(({ line, days, lot, trace }) => ({ line, days: Number(days), lot: lot.trim(), trace: codes(trace) }))
  const whole = lines.length > 0 && lines.every(({ days, lot, trace }) => days > 0 && lot !== '' && trace.length > 0)
  return (
    <section class="card stack" data-test="claim-held">
      <div class="top">
        <b>{w('counter.person', { name: claim.patient, sex: identity(`sex.${claim.sex}`), age: claim.age })}</b>
        <span class="tag info">{w('counter.until', { at: moment(claim.lease_until) })}</span>
      </div>
      <p class="meta">
        {w('counter.from', { hospital: claim.hospital, doctor: claim.doctor, no: claim.no })} ·{' '}
        {claim.diagnosis.join('、')}{' '}
        <a href={`/verify#${claim.evidence_code}`} target="_blank" rel="noreferrer">
          {w('counter.verify')}
        </a>
      </p>
      <PaperAndProof at={`/claims/${claim.part_id}`} no={claim.no} />
      <ProblemNote problem={deed.problem} />
      {claim.lines.map((line) => {
        const mine = hand(line.line, line.remain)
        return (
          <div class="rx-line" key={line.line}>
            {line.remain === 0 ? (
              <p>
                <b lang="zh">{drugName(line)}</b> <span class="meta">{w('counter.done')}</span>
              </p>
            ) : (
              <Tick
                label={`${line.line}. ${drugName(line)}`}
                note={`${rxUse(line)} · ${w('counter.remain', { n: line.remain })}`}
                checked={mine.take}
                onChange={(take) => set(line.line, line.remain, { take })}
                test={`take-${line.line}`}
              />
            )}
            {mine.take && (
              <div class="numbers">
                <Field
                  label={w('counter.days')}
                  name="days"
                  inputMode="numeric"
                  value={mine.days}
                  onInput={(days) => set(line.line, line.remain, { days: days.replace(/\D/g, '') })}
                />
                <Field
                  label={w('counter.lot')}
                  name="lot"
                  value={mine.lot}
                  onInput={(lot) => set(line.line, line.remain, { lot })}
                />
                <Field
                  label={w('counter.trace')}
                  name="trace"
                  value={mine.trace}
                  onInput={(trace) => set(line.line, line.remain, { trace })}
                />
              </div>
            )}
          </div>
        )
      })}
      <Tick label={w('counter.counsel')} checked={counselled} onChange={setCounselled} test="counselled" />
      <div class="row">
        <Button
          look="primary"
          icon="pill"
          busy={deed.busy}
          disabled={!whole || !counselled}
          onPress={() =>
            void deed.run(async () =>
              onDone(await post<Claim>(`/claims/${claim.part_id}/dispense`, { lines, counselled })),
            )
          }
          test="dispense"
        >
          {w('counter.dispense')}
        </Button>
        <Button
          icon="back"
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              await post(`/claims/${claim.part_id}/release`)
              onDone(undefined)
            })
          }
          test="release"
        >
          {w('counter.release')}
        </Button>
      </div>
    </section>
  )
}
