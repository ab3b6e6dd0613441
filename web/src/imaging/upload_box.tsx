// Choosing images and watching them arrive: per study how far it is, held and let go by a button, the receipt at the end.
import type { TargetedEvent } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { clock } from '../i18n/format'
import { lang } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { Button, Notice, ProblemNote } from '../ui/parts'
import { dropped, type Making } from './chosen'
import type { Subject } from './made'
import type { Checked } from './receipt'
import { brokenOff, sendingOf } from './sending'
import { detailIn, type Refusal, type Upload } from './upload'
import { w } from './words'

export function timeLeft({ bytesLeft, bytesPerSecond }: Pick<Upload, 'bytesLeft' | 'bytesPerSecond'>): string {
  const minutes = Math.ceil(bytesLeft / Math.max(1, bytesPerSecond) / 60)
  return bytesPerSecond === 0 || minutes <= 1 ? w('up.soon') : w('up.minutes', { n: minutes })
}

export function UploadBox({
  id,
  about,
  institution,
  onDone,
}: {
  /** Of the case: an upload of this case is found again on coming back. */
  id: string
  /** Of whom the case is: photos and documents are sent under this name. */
  about: Subject
  institution: string
  onDone: (studies: string[]) => void
}) {
  const sending = sendingOf(id, institution)
  const [over, setOver] = useState(false)
  const folder = useRef<HTMLInputElement>(null)
  const files = useRef<HTMLInputElement>(null)
  const state = sending.state.value
  const busy = sending.busy.value
  const paused = sending.paused.value
  const broken = busy || state ? undefined : brokenOff(id)

  const send = (choice: () => Promise<readonly File[]>, making?: Making) => {
    void sending.send(choice, making).then((studies) => studies.length > 0 && onDone(studies))
  }
  const choose = (event: TargetedEvent<HTMLInputElement>, making?: Making) => {
    const chosen = [...(event.currentTarget.files ?? [])]
    event.currentTarget.value = '' // the same files may be chosen again
    if (chosen.length > 0) send(async () => chosen, making)
  }
  return (
    <section class="stack" data-test="upload" data-at={state?.at ?? 'none'} data-paused={paused ? 'true' : 'false'}>
      <ProblemNote problem={sending.problem.value} />
      {broken && (
        <div data-test="broken-off">
          <Notice tone="warn" title={w('up.broken', { n: broken.received, m: broken.total })}>
            {w('up.broken.do')}
          </Notice>
        </div>
      )}
      <fieldset
        class={`drop${over ? ' over' : ''}`}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault()
          setOver(false)
          const { dataTransfer } = event
          const found = dropped(dataTransfer) // its entries live only as long as this event
          if (!busy) send(() => found)
        }}
      >
        <Icon name="up" />
        <div class="row">
          <Button look="primary" disabled={busy} onPress={() => folder.current?.click()} test="choose-folder">
            {w('up.choose')}
          </Button>
          <Button disabled={busy} onPress={() => files.current?.click()} test="choose-files">
            {w('up.files')}
          </Button>
        </div>
        <span class="meta">{w('up.drop')}</span>
        <input
          ref={folder}
          type="file"
          multiple
          hidden
          aria-label={w('up.choose')}
          data-test="folder"
          {...{ webkitdirectory: true }}
          onChange={(event) => choose(event)}
        />
        <input
          ref={files}
          type="file"
          multiple
          hidden
          aria-label={w('up.files')}
          data-test="files"
          onChange={(event) => choose(event, { id, about })}
        />
      </fieldset>
      {state && (
        <>
          {state.at === 'full' && (
            <div role="alert" data-test="no-room">
              <Notice tone="danger" title={w('up.full', { n: state.received, m: state.total })}>
                {w('up.full.do')}
              </Notice>
            </div>
          )}
          <Progress state={state} paused={paused} />
          {busy && state.at !== 'done' && (
            <div class="row">
              <Button onPress={() => sending.hold(!paused)} test="pause">
                {paused ? w('up.resume') : w('up.pause')}
              </Button>
              <span class="meta">{w('up.stay')}</span>
            </div>
          )}
          <Refused all={state.refused} />
          {state.at === 'done' && state.absent > 0 && (
            <Notice tone="warn" title={w('up.absent', { n: state.absent })}>
              {w('up.absent.do')}
            </Notice>
          )}
          {sending.receipts.value.map((one) => (
            <ReceiptCard key={one.receipt.study_uid} one={one} />
          ))}
        </>
      )}
    </section>
  )
}

function Progress({ state, paused }: { state: Upload; paused: boolean }) {
  const { at, received: n, total: m, studies } = state
  const reading = at === 'reading'
  return (
    <div class="stack" data-test="progress">
      <progress
        max={Math.max(1, reading ? state.files : m)}
        value={reading ? state.read : n}
        aria-label={w('img.title')}
      />
      <span role="status">
        {paused && at !== 'done'
          ? w('up.paused', { n, m })
          : reading
            ? w('up.reading', { n: state.read, m: state.files })
            : at === 'sending'
              ? w('up.going', { n, m, t: timeLeft(state) })
              : at === 'cut'
                ? w('up.cut', { n, m })
                : n > 0
                  ? w('up.done', { n })
                  : w('up.none')}
        {!reading && state.had > 0 && ` ${w('up.had', { n: state.had })}`}
      </span>
      {!reading && studies.length > 0 && (
        <ul class="plain stack" data-test="studies">
          {studies.map((study) => (
            <li key={study.uid} class="tight" data-test="study-progress">
              <span class="top">
                <span>{study.what || w('up.study')}</span>
                <span class="meta">
                  {study.received >= study.total
                    ? w('up.whole', { n: study.total })
                    : at === 'sending' && !paused
                      ? w('up.part', { n: study.received, m: study.total, t: timeLeft({ ...state, ...study }) })
                      : w('up.stands', { n: study.received, m: study.total })}
                </span>
              </span>
              <progress max={study.total} value={study.received} aria-label={study.what || w('up.study')} />
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

const whyWords = {
  conflict: 'up.conflict',
  not_dicom: 'up.notdicom',
  refused: 'up.refused',
  unreadable: 'up.unreadable',
  no_photo: 'up.nophoto',
  zip_broken: 'up.zip.broken',
  zip_locked: 'up.zip.locked',
  zip_large: 'up.zip.large',
  zip_nested: 'up.zip.nested',
  too_large: 'up.toolarge',
} as const

function Refused({ all }: { all: readonly Refusal[] }) {
  if (all.length === 0) return null
  return (
    <div data-test="refused-files">
      <Notice tone="warn" title={w('up.bad', { n: all.length })}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls takes the arrow keys */}
        <ul class="scrolled" tabIndex={0} aria-label={w('up.bad', { n: all.length })}>
          {all.map((one, index) => (
            <li key={`${index} ${one.file}`}>
              {one.file}：{w(whyWords[one.why])} {detailIn(lang.value, one.detail)}
            </li>
          ))}
        </ul>
      </Notice>
    </div>
  )
}

const proofWords = { good: 'rec.good', bad: 'rec.bad', unchecked: 'rec.unchecked' } as const

function ReceiptCard({ one }: { one: Checked }) {
  const { receipt, proof, lacking, text } = one
  const safe = proof === 'good' && lacking.length === 0
  const save = () => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(text, null, 2)], { type: 'application/json' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `receipt-${receipt.study_uid.slice(-12)}.json`
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <section class="card" data-test="receipt" data-proof={proof} data-lacking={lacking.length}>
      <div class="top">
        <h3>{w('rec.title')}</h3>
        <span class={`tag ${safe ? 'ok' : proof === 'bad' || lacking.length > 0 ? 'danger' : 'warn'}`}>
          {w(proofWords[proof])}
        </span>
      </div>
      <p>{w('rec.holds', { n: receipt.instances.length, at: clock(receipt.issued_at) })}</p>
      <p>{lacking.length > 0 ? w('rec.lacking', { n: lacking.length }) : safe ? w('rec.safe') : w('rec.keep')}</p>
      <details>
        <summary>{w('rec.list')}</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls takes the arrow keys */}
        <ul class="scrolled mono meta" tabIndex={0} aria-label={w('rec.list')}>
          {receipt.instances.map((each) => (
            <li key={each.sop_uid}>
              {each.sop_uid}
              <br />
              sha256 {each.sha256}
            </li>
          ))}
        </ul>
      </details>
      <div class="row">
        <Button icon="file" onPress={save} test="save-receipt">
          {w('rec.save')}
        </Button>
        <span class="meta mono">
          {text.signature.alg} {text.signature.key_id}
        </span>
      </div>
    </section>
  )
}
