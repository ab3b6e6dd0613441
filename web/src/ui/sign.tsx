// The signing step: the document as on paper, the exact text and its hash beneath, the passphrase.
// Opening and signing are never the same key.
import { Fragment } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useDeed } from '../api/resource'
import { w } from '../visit/desk_words'
import { Button, Dialog, Field, ProblemNote } from './parts'

/** Canonical JSON on one line, broken for reading; anything else as it is. What is signed stays the line itself. */
export function readable(canonical: string): string {
  try {
    return JSON.stringify(JSON.parse(canonical), null, 2)
  } catch {
    return canonical
  }
}

/** A document in the person's words: label and lines; empty ones are left out. */
export type Paper = readonly { label: string; text: readonly string[] }[]

/** What cannot be shown in words cannot be signed: undefined. */
export function readPaper(canonical: string, paper: (canonical: string) => Paper): Paper | undefined {
  try {
    return paper(canonical)
      .map(({ label, text }) => ({ label, text: text.filter((line) => line !== '') }))
      .filter(({ text }) => text.length > 0)
  } catch {
    return undefined
  }
}

export async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function SignDialog({
  title,
  canonical,
  sha256,
  paper,
  ready = true,
  onSign,
  onClose,
  children,
}: {
  title: string
  canonical: string
  sha256: string
  /** Reads the words from `canonical`, so that what is shown is what is signed. */
  paper: (canonical: string) => Paper
  ready?: boolean
  onSign: (passphrase: string) => Promise<void>
  onClose: () => void
  children?: preact.ComponentChildren
}) {
  const [passphrase, setPassphrase] = useState('')
  const [fits, setFits] = useState(true)
  const deed = useDeed()
  const words = readPaper(canonical, paper)
  const signable = ready && fits && words !== undefined
  useEffect(() => {
    void sha256Hex(canonical).then((mine) => setFits(mine === sha256))
  }, [canonical, sha256])
  return (
    <Dialog title={title} onClose={onClose} wide>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (passphrase !== '' && signable) void deed.run(() => onSign(passphrase))
        }}
      >
        <ProblemNote problem={deed.problem} />
        <section class="stack" aria-label={w('sign.title')} data-test="canonical">
          <dl class="facts words">
            {words?.map(({ label, text }) => (
              <Fragment key={label}>
                <dt>{label}</dt>
                {text.map((line) => (
                  <dd key={line}>{line}</dd>
                ))}
              </Fragment>
            ))}
          </dl>
          <p class="meta">{w('sign.hint')}</p>
          <details>
            <summary>{w('sign.canonical')}</summary>
            <div class="fulltext">
              <pre>{readable(canonical)}</pre>
            </div>
            <p class="hash">
              <span class="meta">{w('sign.hash')} </span>
              {sha256}
            </p>
          </details>
        </section>
        {children}
        {!(fits && words) && (
          <p class="error" role="alert">
            {w(fits ? 'sign.unreadable' : 'sign.mismatch')}
          </p>
        )}
        <div class="row">
          <div class="grow">
            <Field
              label={w('sign.pass')}
              name="passphrase"
              type="password"
              value={passphrase}
              onInput={setPassphrase}
              autoComplete="off"
            />
          </div>
          <Button look="primary" type="submit" busy={deed.busy} disabled={passphrase === '' || !signable} test="sign">
            {w('sign.go')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
