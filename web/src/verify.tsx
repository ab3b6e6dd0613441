// Public verification. The code stays behind # so that it reaches no log; the signature is checked here first.
import './ui/patient.css'
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { asProblem, get, post } from './api/client'
import { useDeed } from './api/resource'
import type { ProofAnswer, VerifyAnswer, VerifyKey } from './api/types/prescribe'
import { day } from './i18n/format'
import { elder, lang, rememberReading } from './i18n/i18n'
import { type Checked, checkCode, codeIn, type Evidence, openCode } from './prescribe/evidence'
import { plainUse } from './prescribe/use'
import { w } from './prescribe/verify_words'
import { Icon, type IconName, Mark } from './ui/icons'
import { Button, Field, Notice, ProblemNote, useTitle } from './ui/parts'
import { w as ui } from './ui/words'

type Result = VerifyAnswer['result'] | 'genuine.offline' | 'cannot_check'
type State =
  | { at: 'asking' }
  | { at: 'busy' }
  | { at: 'done'; result: Result; evidence?: Evidence; proof?: ProofAnswer }

const faces: Record<Result, { tone: 'ok' | 'warn' | 'danger'; icon: IconName }> = {
  genuine: { tone: 'ok', icon: 'check' },
  'genuine.offline': { tone: 'warn', icon: 'check' },
  used: { tone: 'warn', icon: 'warn' },
  expired: { tone: 'warn', icon: 'clock' },
  unknown_key: { tone: 'warn', icon: 'warn' },
  cannot_check: { tone: 'warn', icon: 'warn' },
  revoked: { tone: 'danger', icon: 'stop' },
  forged: { tone: 'danger', icon: 'cross' },
}

const keyStore = 'yz.verify.keys'

/** The published keys, kept for when there is no line. */
async function keys(): Promise<VerifyKey[]> {
  try {
    const fresh = await get<VerifyKey[]>('/verify/keys')
    localStorage.setItem(keyStore, JSON.stringify(fresh))
    return fresh
  } catch {
    const kept: unknown = JSON.parse(localStorage.getItem(keyStore) ?? '[]')
    return Array.isArray(kept) ? (kept as VerifyKey[]) : []
  }
}

/** The browser's own answer, made stricter by what the hospital knows of use and withdrawal. */
async function verify(code: string): Promise<{ result: Result; evidence?: Evidence }> {
  const here: Checked = await checkCode(code, await keys(), new Date())
  const evidence = 'evidence' in here ? { evidence: here.evidence } : {}
  if (here.result === 'forged') return { result: 'forged' }
  try {
    const { result } = await post<VerifyAnswer>('/verify', { code })
    return here.result === 'cannot_check' && result === 'genuine'
      ? { result: 'cannot_check', ...evidence }
      : { result, ...evidence }
  } catch (error) {
    if (here.result === 'genuine' && (asProblem(error).offline || asProblem(error).status >= 500))
      return { result: 'genuine.offline', ...evidence }
    return { result: here.result === 'genuine' ? 'genuine.offline' : here.result, ...evidence }
  }
}

function VerifyPage() {
  const [typed, setTyped] = useState('')
  const [state, setState] = useState<State>(location.hash.length > 1 ? { at: 'busy' } : { at: 'asking' })
  const [unchecked, setUnchecked] = useState(false) // a file, for want of a line
  const proving = useDeed()
  useTitle(w('title'))

  /** A proof file is checked whole by the server, with certificates and the log; what is no JSON goes as it is and is refused. */
  const prove = async (file: File) => {
    const text = await file.text()
    let body: unknown = text
    try {
      body = JSON.parse(text)
    } catch {
      // the server says what is wrong with it
    }
    const proof = await post<ProofAnswer>('/verify/proof', body).catch((error: unknown) => {
      if (!asProblem(error).offline) throw error
    })
    setUnchecked(!proof)
    if (!proof) return
    const opened = proof.evidence_code ? openCode(proof.evidence_code) : undefined
    setState({ at: 'done', result: proof.result, ...(opened ? { evidence: opened.evidence } : {}), proof })
  }
  const check = (code: string) => {
    setState({ at: 'busy' })
    void verify(code).then((answer) => setState({ at: 'done', ...answer }))
  }
  useEffect(() => {
    const read = () => location.hash.length > 1 && check(location.hash.slice(1))
    read()
    addEventListener('hashchange', read)
    return () => removeEventListener('hashchange', read)
  }, [])

  return (
    <div class="shell">
      <header class="topbar">
        <a class="brand" href="/">
          <Mark />
          <span>{ui('app.name')}</span>
        </a>
        <span class="space" />
        <button type="button" aria-pressed={elder.value} onClick={() => (elder.value = !elder.value)}>
          {ui('nav.elder')}
        </button>
        <button type="button" onClick={() => (lang.value = lang.value === 'zh' ? 'en' : 'zh')}>
          {ui('nav.lang.short')}
        </button>
      </header>
      <main class="page" id="content">
        {state.at === 'done' ? (
          <Answer result={state.result} evidence={state.evidence} proof={state.proof} />
        ) : (
          <h1>{w('title')}</h1>
        )}
        {state.at === 'busy' && <p role="status">{w('busy')}</p>}
        {state.at === 'asking' && (
          <form
            class="stack"
            onSubmit={(event) => {
              event.preventDefault()
              check(codeIn(typed))
            }}
          >
            <p>{w('lead')}</p>
            <Field label={w('code')} name="code" lines={4} value={typed} onInput={setTyped} />
            <Button look="primary" type="submit" disabled={typed.trim() === ''}>
              {w('go')}
            </Button>
            <ProblemNote problem={proving.problem} />
            {unchecked && (
              <Notice tone="warn" live title={w('file.offline')}>
                {w('file.offline.say')}
              </Notice>
            )}
            <div class="field">
              <label for="proof-file">{w('file.label')}</label>
              <p class="hint" id="proof-file-hint">
                {w('file.hint')}
              </p>
              <input
                id="proof-file"
                type="file"
                name="proof"
                accept="application/json,.json"
                aria-describedby="proof-file-hint"
                onChange={(event) => {
                  const file = event.currentTarget.files?.[0]
                  if (file) void proving.run(() => prove(file))
                }}
              />
            </div>
          </form>
        )}
        {state.at === 'done' && (
          <Button
            onPress={() => {
              history.replaceState(null, '', location.pathname)
              setTyped('')
              setState({ at: 'asking' })
            }}
          >
            {w('another')}
          </Button>
        )}
        <details>
          <summary>{w('how')}</summary>
          <p>{w('how.say')}</p>
        </details>
      </main>
    </div>
  )
}

function Answer({
  result,
  evidence,
  proof,
}: {
  result: Result
  evidence: Evidence | undefined
  proof: ProofAnswer | undefined
}) {
  const { tone, icon } = faces[result]
  return (
    <>
      <div class={`verdict ${tone}`} role="status" data-test="verified" data-result={result}>
        <Icon name={icon} />
        <h1>{w(result)}</h1>
      </div>
      <p class="lead">{w(`${result}.say`)}</p>
      {proof && (
        <div class="card stack" data-test="proof" data-faults={proof.faults.length}>
          {proof.faults.length === 0 ? <p>{w('file.whole')}</p> : <h2>{w('file.faults')}</h2>}
          {proof.faults.length > 0 && (
            <ul lang="en">
              {proof.faults.map((one) => (
                <li key={one}>{one}</li>
              ))}
            </ul>
          )}
          {proof.notes.length > 0 && (
            <>
              <h3>{w('file.notes')}</h3>
              <ul lang="en">
                {proof.notes.map((one) => (
                  <li key={one}>{one}</li>
                ))}
              </ul>
            </>
          )}
        </div>
      )}
      {evidence && (
        <dl class="facts card">
          <dt>{w('hospital')}</dt>
          <dd>{evidence.hospital}</dd>
          <dt>{w('doctor')}</dt>
          <dd>{evidence.doctor}</dd>
          <dt>{w('number')}</dt>
          <dd class="mono">{evidence.number}</dd>
          <dt>{w('patient')}</dt>
          <dd>{w('patient.value', { initial: evidence.initial, year: evidence.birthYear })}</dd>
          <dt>{w('dates')}</dt>
          <dd>{w('dates.value', { from: day(evidence.issued), to: day(evidence.until) })}</dd>
          <dt>{w('lines')}</dt>
          <dd>
            <ul class="stack">
              {evidence.lines.map((line) => (
                <li key={line.name} class="tight">
                  <b>{line.name}</b>
                  <span>{w('line.days', { use: plainUse(line.use), n: line.days })}</span>
                </li>
              ))}
            </ul>
          </dd>
        </dl>
      )}
    </>
  )
}

// From the second visit on this page opens without a line: its files are kept by a worker of its own.
if ('serviceWorker' in navigator)
  void navigator.serviceWorker.register('/verify-worker.js', { scope: '/verify' }).catch(() => undefined)

rememberReading()
const root = document.getElementById('app')
if (root) render(<VerifyPage />, root)
