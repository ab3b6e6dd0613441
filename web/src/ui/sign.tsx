// The signing step: the whole text that is signed, its hash, the passphrase. Opening and signing are never the same key.
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

export async function sha256Hex(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function SignDialog({
  title,
  canonical,
  sha256,
  ready = true,
  onSign,
  onClose,
  children,
}: {
  title: string
  canonical: string
  sha256: string
  ready?: boolean
  onSign: (passphrase: string) => Promise<void>
  onClose: () => void
  children?: preact.ComponentChildren
}) {
  const [passphrase, setPassphrase] = useState('')
  const [fits, setFits] = useState(true)
  const deed = useDeed()
  useEffect(() => {
    void sha256Hex(canonical).then((mine) => setFits(mine === sha256))
  }, [canonical, sha256])
  return (
    <Dialog title={title} onClose={onClose} wide>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (passphrase !== '' && ready && fits) void deed.run(() => onSign(passphrase))
        }}
      >
        <ProblemNote problem={deed.problem} />
        {children}
        <section class="fulltext" aria-label={w('sign.title')} data-test="canonical">
          <pre>{readable(canonical)}</pre>
        </section>
        <p class="hash">
          <span class="meta">{w('sign.hash')} </span>
          {sha256}
        </p>
        {!fits && (
          <p class="error" role="alert">
            {w('sign.mismatch')}
          </p>
        )}
        <p class="meta">{w('sign.hint')}</p>
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
          <Button
            look="primary"
            type="submit"
            busy={deed.busy}
            disabled={passphrase === '' || !ready || !fits}
            test="sign"
          >
            {w('sign.go')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
