// The doctor writes a prescription beside the picture: lines, checks as they change, then the full text to sign.
import { useEffect, useRef, useState } from 'preact/hooks'
import { get, post, put, query } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import type { FormularyRow, Override, OverrideReason, Prescription, RxType } from '../api/types/prescribe'
import { pick } from '../i18n/i18n'
import { Find } from '../ui/find'
import { Icon } from '../ui/icons'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, Select } from '../ui/parts'
import { SignDialog } from '../ui/sign'
import { rxTone } from '../visit/states'
import { Alerts, blocked, clinicalStop, needsReason } from './alerts'
import { w } from './desk_words'
import { useCodeNames } from './diagnosis'
import { Favourites, useFavourites } from './favourites'
import { LineEditor } from './line_editor'
import { add, complete, copy, emptyOrder, fromPrescription, mostLines, type Order, toSend } from './order'
import { rxPaper } from './paper'
import { drugName, rxSentence, rxUse } from './patient_rx'
import { w as rx } from './words'

const types: readonly RxType[] = ['long', 'general', 'emergency', 'herbal']
const validity = ['1', '2', '3'] as const
const pause = 700 // ms without a change before the draft is sent and checked

type Props = {
  visit: string
  diagnosis: string[]
  /** The latest prescription of the patient, to copy from. */
  last: string | undefined
  existing: string | undefined
  signing: boolean
  onSigning: (open: boolean) => void
  onChanged: () => void
}

export function PrescriptionEditor({ visit, diagnosis, last, existing, signing, onSigning, onChanged }: Props) {
  const [order, setOrder] = useState<Order>(emptyOrder)
  const [held, setHeld] = useState<Prescription>()
  const [dirty, setDirty] = useState(false)
  const [rewriting, setRewriting] = useState(false)
  const [added, setAdded] = useState(0)
  const favourites = useFavourites()
  const deed = useDeed()
  const once = useOnce()
  const found = useResource(
    existing ? `rx ${existing}` : undefined,
    (signal) => get<Prescription>(`/prescriptions/${existing}`, signal),
    ['prescription.changed'],
  )
  const before = useResource(last && !existing ? `last ${last}` : undefined, (signal) =>
    get<Prescription>(`/prescriptions/${last}`, signal),
  )

  useEffect(() => {
    if (!existing || !found.value || dirty) return
    setHeld(found.value)
    setOrder(fromPrescription(found.value))
  }, [existing, found.value, dirty])

  // A void one stays on the page until the visit says that another may be written in its place.
  useEffect(() => {
    if (existing || held?.state !== 'void') return
    setHeld(undefined)
    setOrder(emptyOrder)
  }, [existing, held])

  // What was just picked is asked next: its usual uses, else its dose. Nothing is filled in by itself.
  const section = useRef<HTMLElement>(null)
  useEffect(() => {
    const line = section.current?.querySelector(`[data-line="${added}"]`)
    line?.querySelector<HTMLElement>('[data-test=usual], input')?.focus()
  }, [added])

  const edit = (next: Order) => {
    setOrder(next)
    setDirty(true)
  }
  const ready = complete(order) && diagnosis.length > 0
  const send = async () => {
    const body = toSend(order, diagnosis)
    const kept = held // a draft is written anew, a returned one gets its next version
      ? await put<Prescription>(`/prescriptions/${held.id}`, body)
      : await post<Prescription>(`/visits/${visit}/prescriptions`, body, once([visit]))
    setHeld(kept)
    setRewriting(false)
    setDirty(false)
    if (kept.id !== held?.id) onChanged()
  }
  const latest = useRef(send)
  latest.current = send
  useEffect(() => {
    if (!dirty || !ready) return
    const wait = setTimeout(() => void deed.run(() => latest.current()), pause)
    return () => clearTimeout(wait)
  }, [dirty, ready, order, diagnosis.join(' '), deed.run])

  // What is written before the draft has come would be kept and the draft never shown.
  if (existing && !held)
    return (
      <section class="stack">
        <h2>{w('rx.title')}</h2>
        {found.problem ? <ProblemNote problem={found.problem} again={found.refresh} /> : <Loading />}
      </section>
    )

  if (held && held.state !== 'draft' && !rewriting)
    return (
      <section class="stack" data-test="prescription" data-state={held.state}>
        <div class="top">
          <h2>{w('rx.title')}</h2>
          <span class={`tag ${rxTone[held.state]}`}>{rx(`state.${held.state}`)}</span>
        </div>
        {held.state === 'returned' || held.state === 'refused' ? (
          <Notice
            tone="warn"
            title={w(held.state === 'refused' ? 'rx.refused' : 'rx.returned', { note: held.review?.note ?? '' })}
          >
            <Button
              onPress={() => {
                setOrder(fromPrescription(held))
                setRewriting(true)
                setDirty(true)
              }}
            >
              {w('rx.rewrite')}
            </Button>
          </Notice>
        ) : (
          <p class="meta">{rxSentence(held)}</p>
        )}
        <ul>
          {held.items.map((item) => (
            <li key={item.line} class="rx-line">
              <b>{drugName(item)}</b>
              <span>{rxUse(item)}</span>
            </li>
          ))}
        </ul>
        {(held.state === 'signed' || held.state === 'approved') && (
          <MakeVoid
            prescription={held}
            onVoid={(gone) => {
              setHeld(gone)
              onChanged()
            }}
          />
        )}
      </section>
    )

  return (
    <section
      ref={section}
      class="stack"
      data-test="prescription"
      data-state={held ? (dirty ? 'dirty' : 'draft') : 'new'}
    >
      <div class="top">
        <h2>{w('rx.title')}</h2>
        <div class="row">
          <Select
            label={w('rx.type')}
            value={order.type}
            options={types.map((value) => ({ value, label: w(`type.${value}`) }))}
            onChange={(type) => edit({ ...order, type })}
          />
          <Select
            label={w('rx.valid')}
            value={String(order.validDays) as (typeof validity)[number]}
            options={validity.map((value) => ({ value, label: w(`valid.${value}`) }))}
            onChange={(days) => edit({ ...order, validDays: Number(days) })}
          />
        </div>
      </div>
      {diagnosis.length === 0 && <p class="meta">{w('rx.nodiagnosis')}</p>}
      <ProblemNote problem={deed.problem} />
      {before.value && order.lines.length === 0 && (
        <div class="card" data-test="repeat">
          <b>{w('rx.copy', { no: before.value.no })}</b>
          {before.value.items.map((item) => (
            <span key={item.line}>
              {drugName(item)} <span class="meta">{rxUse(item)}</span>
            </span>
          ))}
          <div class="row">
            <Button
              icon="swap"
              onPress={() =>
                edit(copy({ ...order, type: before.value?.type ?? order.type }, before.value?.items ?? []))
              }
              test="repeat-all"
            >
              {w('rx.repeat')}
            </Button>
          </div>
        </div>
      )}
      {order.lines.map((line) => (
        <LineEditor key={line.line} line={line} order={order} onEdit={edit} onKeep={favourites.keep} />
      ))}
      {order.type === 'herbal' ? (
        <Notice tone="warn" live title={w('rx.herbal')}>
          <p>{w('rx.herbal.say')}</p>
        </Notice>
      ) : order.lines.length < mostLines ? (
        <>
          <Find<FormularyRow>
            label={w('rx.find')}
            test="formulary"
            ask={(words, signal) => get<FormularyRow[]>(`/formulary${query({ q: words })}`, signal)}
            show={(row) => ({
              name: pick(row.name),
              note: [row.as && pick(row.as), row.contains?.join('，') ?? row.atc].filter(Boolean).join(' · '),
            })}
            keyOf={(row) => row.product ?? row.ingredient ?? ''}
            onPick={(row) => {
              edit(add(order, row))
              setAdded(order.lines.length + 1)
            }}
          />
          <Favourites list={favourites.list} onTake={(line) => edit(copy(order, [line]))} onDrop={favourites.drop} />
        </>
      ) : (
        <p class="meta">{w('rx.full')}</p>
      )}
      <ProblemNote problem={favourites.problem} />
      {held && order.lines.length > 0 && <Alerts check={held.check} busy={dirty || deed.busy} />}
      {held && !dirty && <AskSecond prescription={held} onAsked={setHeld} />}
      {held && (held.check.reasons.length > 0 || order.daysReason) && (
        <Field
          label={w('rx.reason')}
          name="days_reason"
          value={order.daysReason}
          onInput={(daysReason) => edit({ ...order, daysReason })}
          maxLength={500}
        />
      )}
      {held && order.lines.length > 0 && (
        <div class="row signing">
          <Button
            look="primary"
            icon="pen"
            disabled={dirty || deed.busy || blocked(held.check, held.seconds)}
            onPress={() => onSigning(true)}
            test="sign-rx"
          >
            {w('rx.sign')} <kbd>F8</kbd>
          </Button>
          {blocked(held.check, held.seconds) && <span class="meta">{w('rx.blocked')}</span>}
        </div>
      )}
      {signing && held && !dirty && !blocked(held.check, held.seconds) && (
        <RxSignDialog
          prescription={held}
          onClose={() => onSigning(false)}
          onSigned={(signed) => {
            setHeld(signed)
            onSigning(false)
            onChanged()
          }}
        />
      )}
    </section>
  )
}

/** What is signed is not taken back but made void, for good, while no pharmacy holds it. */
function MakeVoid({ prescription, onVoid }: { prescription: Prescription; onVoid: (gone: Prescription) => void }) {
  const [asking, setAsking] = useState(false)
  const deed = useDeed()
  return (
    <div class="row">
      <Button look="quiet" onPress={() => setAsking(true)} test="void-rx">
        {w('rx.cancel')}
      </Button>
      {asking && (
        <Dialog title={w('rx.cancel')} onClose={() => setAsking(false)}>
          <div class="stack">
            <p>{w('rx.cancel.sure', { no: prescription.no })}</p>
            <ProblemNote problem={deed.problem} />
            <Button
              look="danger"
              busy={deed.busy}
              onPress={() =>
                void deed.run(async () => {
                  onVoid(await post<Prescription>(`/prescriptions/${prescription.id}/cancel`))
                  setAsking(false)
                })
              }
              test="void-yes"
            >
              {w('rx.cancel')}
            </Button>
            <Button onPress={() => setAsking(false)}>{w('rx.cancel.no')}</Button>
          </div>
        </Dialog>
      )}
    </div>
  )
}

/** A clinical hard stop is put before a second person; what that person said stands beside it. */
function AskSecond({ prescription, onAsked }: { prescription: Prescription; onAsked: (next: Prescription) => void }) {
  const deed = useDeed()
  const stops = prescription.check.alerts.filter(clinicalStop)
  if (stops.length === 0) return null
  const answered = prescription.seconds.find((second) => second.by)
  const asked = prescription.seconds.length > 0
  return (
    <div class="stack" data-test="second" data-asked={asked} data-agrees={answered?.agrees}>
      <ProblemNote problem={deed.problem} />
      {answered ? (
        <Notice
          tone={answered.agrees ? 'ok' : 'warn'}
          live
          title={w(answered.agrees ? 'second.yes' : 'second.no', { by: answered.by ?? '' })}
        >
          {answered.reason}
        </Notice>
      ) : asked ? (
        <Notice tone="info" live title={w('second.waits')} />
      ) : (
        <div class="row">
          <Button
            icon="people"
            busy={deed.busy}
            onPress={() =>
              void deed.run(async () =>
                onAsked(await post<Prescription>(`/prescriptions/${prescription.id}/ask-second`)),
              )
            }
            test="ask-second"
          >
            {w('second.ask')}
          </Button>
          <span class="meta">{w('second.say')}</span>
        </div>
      )}
    </div>
  )
}

const reasons: readonly OverrideReason[] = [
  'benefit_outweighs',
  'tolerated_before',
  'specialist_plan',
  'dose_adjusted',
  'will_monitor',
  'data_wrong',
  'asked_patient',
]

function RxSignDialog({
  prescription,
  onClose,
  onSigned,
}: {
  prescription: Prescription
  onClose: () => void
  onSigned: (signed: Prescription) => void
}) {
  const warned = needsReason(prescription.check)
  const named = useCodeNames(prescription.diagnosis)
  const [overrides, setOverrides] = useState<Override[]>(() =>
    warned.map((alert) => ({ alert: alert.key, reason_code: 'will_monitor', text: '' })),
  )
  const set = (key: string, edit: Partial<Override>) =>
    setOverrides((all) => all.map((one) => (one.alert === key ? { ...one, ...edit } : one)))
  return (
    <SignDialog
      title={w('rx.sign')}
      canonical={prescription.canonical}
      sha256={prescription.sha256}
      paper={(canonical) => rxPaper(canonical, named)}
      ready={overrides.every((one) => one.text.trim() !== '')}
      onClose={onClose}
      onSign={async (passphrase) =>
        onSigned(
          await post<Prescription>(`/prescriptions/${prescription.id}/sign`, {
            sha256: prescription.sha256,
            passphrase,
            overrides,
          }),
        )
      }
    >
      {warned.length > 0 && <Notice tone="warn" title={w('over.title')} />}
      {warned.map((alert) => {
        const override = overrides.find((one) => one.alert === alert.key)
        return (
          <div class="alert interruptive" key={alert.key}>
            <Icon name="warn" />
            <div class="stack">
              <b>{pick(alert.text)}</b>
              <div class="two">
                <Select
                  label={w('over.reason')}
                  value={override?.reason_code ?? 'will_monitor'}
                  options={reasons.map((value) => ({ value, label: w(`over.${value}`) }))}
                  onChange={(reason_code) => set(alert.key, { reason_code })}
                />
                <Field
                  label={w('over.text')}
                  name="override"
                  value={override?.text ?? ''}
                  onInput={(text) => set(alert.key, { text })}
                  maxLength={500}
                />
              </div>
            </div>
          </div>
        )
      })}
    </SignDialog>
  )
}
