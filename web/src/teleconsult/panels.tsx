// Parts of a case's page that several sides see: the clock, a deed with its reason, critical values, what happened, the papers.
import { useEffect, useState } from 'preact/hooks'
import { get } from '../api/client'
import { useResource } from '../api/resource'
import type { CriticalValue, KeptPackage, Teleconsult, TeleconsultStep } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Dialog, Field, ProblemNote } from '../ui/parts'
import { w as sign } from '../visit/desk_words'
import { consultKinds, urgencies } from './request'
import { left, reasons, span } from './states'
import { w } from './words'

export type Act = (path: string, body?: object) => void

/** The time, anew each half minute. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const tick = setInterval(() => setNow(Date.now()), 30_000)
    return () => clearInterval(tick)
  }, [])
  return now
}

/** How long is left, that it is late, or that the clock stands. */
export function ClockTag({ one, now }: { one: Teleconsult; now: number }) {
  if (one.paused) return <span class="tag warn">{w('k.paused')}</span>
  const minutes = left(one, now)
  if (minutes === undefined) return null
  const said = span(minutes)
  const t = 'days' in said ? w('k.days', { n: said.days }) : said.text
  return (
    <span class={`tag ${minutes < 0 ? 'danger' : minutes < 60 ? 'warn' : 'plain'}`} data-test="clock">
      <Icon name="clock" /> {w(minutes < 0 ? 'k.late' : 'k.left', { t })}
    </span>
  )
}

/** A deed that needs words: pressed, written, sent. */
export function Reasoned({
  label,
  field,
  look = 'quiet',
  most = 500,
  onSay,
  test,
}: {
  label: string
  field: string
  look?: 'quiet' | 'plain' | 'danger' | 'primary'
  most?: number
  onSay: (words: string) => void
  test: string
}) {
  const [open, setOpen] = useState(false)
  const [words, setWords] = useState('')
  return (
    <>
      <Button look={look} onPress={() => setOpen(true)} test={test}>
        {label}
      </Button>
      {open && (
        <Dialog title={label} onClose={() => setOpen(false)}>
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              setOpen(false)
              onSay(words.trim())
            }}
          >
            <Field label={field} name={test} lines={3} value={words} onInput={setWords} maxLength={most} />
            <Button
              look={look === 'danger' ? 'danger' : 'primary'}
              type="submit"
              disabled={words.trim().length < 2}
              test={`${test}-go`}
            >
              {label}
            </Button>
          </form>
        </Dialog>
      )}
    </>
  )
}

/** Critical values stand in red on both sides until the asking doctor has read them back. */
export function Critical({ one, reads, act, busy }: { one: Teleconsult; reads: boolean; act: Act; busy: boolean }) {
  return (
    <>
      {one.critical.map((value) => (
        <section key={value.id} class="card" data-test="critical" data-read={value.read_at ? 'true' : 'false'}>
          <h2>
            <span class={`tag ${value.read_at ? 'ok' : 'danger'}`}>{w('cv.title')}</span> {value.what}
          </h2>
          <p class="meta">{w('cv.by', { name: value.by.name, at: moment(value.at) })}</p>
          {value.read_at ? (
            <p>
              {w('cv.read', { name: value.read_by ?? '', at: moment(value.read_at), words: value.read_back ?? '' })}
            </p>
          ) : reads ? (
            <ReadBack value={value} act={act} busy={busy} />
          ) : (
            <p>{w('cv.unread')}</p>
          )}
        </section>
      ))}
    </>
  )
}

function ReadBack({ value, act, busy }: { value: CriticalValue; act: Act; busy: boolean }) {
  const [words, setWords] = useState('')
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        act(`critical/${value.id}/read-back`, { words: words.trim() })
      }}
    >
      <Field label={w('cv.back')} name="read_back" lines={2} value={words} onInput={setWords} maxLength={2000} />
      <div class="row">
        <Button look="danger" type="submit" busy={busy} disabled={words.trim().length < 2} test="read-back">
          {w('cv.send')}
        </Button>
      </div>
    </form>
  )
}

const known = (deed: string) => {
  switch (deed) {
    case 'request':
    case 'submit':
    case 'ask for more':
    case 'answer':
    case 'triage':
    case 'assign':
    case 'hand over':
    case 'decline':
    case 'enter':
    case 'meet':
    case 'write instead':
    case 'go live':
    case 'go back':
    case 'sign own opinion':
    case 'sign opinion':
    case 'release':
    case 'withdraw':
    case 'withdraw consent':
    case 'addendum':
    case 'critical value':
    case 'critical unread':
    case 'read back':
    case 'escalate':
    case 'overdue':
    case 'take up':
    case 'ask the office':
    case 'countersign':
    case 'send back':
    case 'take back':
    case 'go ahead':
    case 'countersign after':
    case 'object':
    case 'remind the office':
    case 'office late':
    case 'decide':
    case 'close':
    case 'cancel':
      return w(`h.${deed}`)
    default:
      return deed
  }
}

/** Deeds whose note is for people. */
const told = [
  'ask for more',
  'answer',
  'triage',
  'decline',
  'cancel',
  'escalate',
  'overdue',
  'critical unread',
  'take up',
  'send back',
  'object',
  'remind the office',
  'office late',
  'release',
  'withdraw',
  'withdraw consent',
]

/** What a triage or a release notes begins with codes, before the reason in free words. */
function inWords({ deed, note }: TeleconsultStep): string {
  if (deed !== 'triage' && deed !== 'release' && deed !== 'withdraw') return note
  const end = note.indexOf('：')
  const [codes, reason] = end < 0 ? [note, ''] : [note.slice(0, end), note.slice(end)]
  return codes.replace(/[a-z_]+/g, (code) => codeWord(code) ?? code) + reason
}

function codeWord(code: string): string | undefined {
  const urgency = urgencies.find((one) => one === code)
  const kind = consultKinds.find((one) => one === code)
  const reason = reasons.find((one) => one === code)
  return urgency ? w(`urgency.${urgency}`) : kind ? w(`kind.${kind}`) : reason && w(`rl.${reason}`)
}

/** What happened, the newest first. */
export function Steps({ id, state }: { id: string; state: string }) {
  const found = useResource(
    `steps ${id} ${state}`,
    (signal) => get<TeleconsultStep[]>(`/teleconsults/${id}/steps`, signal),
    ['teleconsult.changed'],
  )
  if (!found.value || found.value.length === 0) return <ProblemNote problem={found.problem} again={found.refresh} />
  return (
    <details class="card" data-test="steps">
      <summary>
        {w('h.title')}
        {found.value.length > 0 && ` · ${known(found.value.at(-1)?.deed ?? '')}`}
      </summary>
      <ol class="bare tight">
        {[...found.value].reverse().map((step) => (
          <li key={`${step.at} ${step.deed}`}>
            <b>{known(step.deed)}</b> · {step.who || w('h.house')} · <span class="meta">{moment(step.at)}</span>
            {step.note && told.includes(step.deed) && <div>{inWords(step)}</div>}
          </li>
        ))}
      </ol>
    </details>
  )
}

/** The report for the patient, and what both hospitals keep. */
export function Papers({ one, mayKeep }: { one: Teleconsult; mayKeep: boolean }) {
  const kept = useResource(one.state === 'closed' && mayKeep ? `packages ${one.id}` : undefined, (signal) =>
    get<KeptPackage[]>(`/teleconsults/${one.id}/packages`, signal),
  )
  if (one.state !== 'decided' && one.state !== 'closed') return null
  return (
    <section class="card" data-test="papers">
      <div class="row">
        <a class="button" href={`/api/v1/teleconsults/${one.id}/report.pdf`} download="consult.pdf" data-test="report">
          {w('p.report')}
        </a>
        {one.state === 'closed' && mayKeep && (
          <a class="button" href={`/api/v1/teleconsults/${one.id}/package`} download="consult.json" data-test="package">
            {w('p.package')}
          </a>
        )}
      </div>
      <ProblemNote problem={kept.problem} again={kept.refresh} />
      {kept.value && kept.value.length > 0 && (
        <>
          <b>{w('p.kept')}</b>
          <ul class="bare">
            {kept.value.map((each) => (
              <li key={each.institution.id} class="meta">
                {w('p.kept.at', {
                  place: each.institution.name,
                  at: moment(each.kept_at),
                  sum: each.sha256.slice(0, 12),
                })}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

/** An expert adds to a signed opinion. */
export function Addendum({
  busy,
  onSign,
}: {
  busy: boolean
  onSign: (body: { text: string; passphrase: string }) => void
}) {
  const [open, setOpen] = useState(false)
  const [text, setText] = useState('')
  const [passphrase, setPassphrase] = useState('')
  return (
    <>
      <Button look="quiet" onPress={() => setOpen(true)} test="addendum">
        {w('ad.title')}
      </Button>
      {open && (
        <Dialog title={w('ad.title')} onClose={() => setOpen(false)}>
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              setOpen(false)
              onSign({ text: text.trim(), passphrase })
            }}
          >
            <Field label={w('ad.text')} name="addendum" lines={4} value={text} onInput={setText} maxLength={8000} />
            <Field
              label={sign('sign.pass')}
              name="addendum_pass"
              type="password"
              value={passphrase}
              onInput={setPassphrase}
              autoComplete="off"
            />
            <Button
              look="primary"
              type="submit"
              busy={busy}
              disabled={text.trim() === '' || passphrase === ''}
              test="sign-addendum"
            >
              {w('ad.sign')}
            </Button>
          </form>
        </Dialog>
      )}
    </>
  )
}
