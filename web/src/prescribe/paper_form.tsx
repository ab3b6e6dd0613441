// Fields and scans that an administrator hands in, and another reads before approving. A scan is uploaded at once and then
// named by its hash, so that who approves reads the very file.
import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import { call } from '../api/client'
import { useDeed } from '../api/resource'
import type { PolicyFile } from '../api/types/policy'
import { Button, Field, ProblemNote } from '../ui/parts'
import { w } from './pharmacy_words'

type Kind = 'text' | 'date' | 'number' | 'scan'

/** `fields` are asked in their order, scans after the others; nothing is sent until each has a value. */
export function PaperForm<Name extends string>({
  fields,
  given = {},
  children,
  send,
  test,
  onSend,
}: {
  fields: Record<Name, readonly [label: string, kind?: Kind]>
  given?: Partial<Record<Name, string>>
  children?: ComponentChildren
  send: string
  test: string
  onSend: (values: Record<Name, string>) => Promise<void>
}) {
  const names = Object.keys(fields) as Name[]
  const [values, setValues] = useState(() => {
    const empty = names.map((name) => [name, given[name] ?? ''])
    return Object.fromEntries(empty) as Record<Name, string>
  })
  const deed = useDeed()
  const put = (name: Name) => (value: string) => setValues((now) => ({ ...now, [name]: value }))
  const kind = (name: Name) => fields[name][1] ?? 'text'
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault()
        void deed.run(() => onSend(values))
      }}
    >
      <ProblemNote problem={deed.problem} />
      {children}
      <div class="two roomy">
        {names
          .filter((name) => kind(name) !== 'scan')
          .map((name) => (
            <Field
              key={name}
              label={fields[name][0]}
              name={name}
              type={kind(name) === 'date' ? 'date' : 'text'}
              {...(kind(name) === 'number' ? { inputMode: 'numeric' as const } : {})}
              value={values[name]}
              onInput={put(name)}
            />
          ))}
      </div>
      <div class="two roomy">
        {names
          .filter((name) => kind(name) === 'scan')
          .map((name) => (
            <Scan key={name} label={fields[name][0]} name={name} hash={values[name]} onKept={put(name)} />
          ))}
      </div>
      <div class="row">
        <Button
          look="primary"
          type="submit"
          busy={deed.busy}
          disabled={names.some((name) => values[name].trim() === '')}
          test={test}
        >
          {send}
        </Button>
      </div>
    </form>
  )
}

async function keep(file: File): Promise<string> {
  const form = new FormData()
  form.set('file', file)
  return (await call<PolicyFile>('POST', '/policies/files', { form })).sha256
}

function Scan({
  label,
  name,
  hash,
  onKept,
}: {
  label: string
  name: string
  hash: string
  onKept: (hash: string) => void
}) {
  const id = useId()
  const deed = useDeed()
  return (
    <div class="field" data-test={name} data-kept={hash !== ''}>
      <label for={id}>{label}</label>
      <p class="hint" id={`${id}-hint`}>
        {hash ? w('reg.paper.have', { hash: hash.slice(0, 12) }) : w('reg.paper.hint')}
      </p>
      <ProblemNote problem={deed.problem} />
      <input
        id={id}
        type="file"
        name={name}
        accept="application/pdf,image/jpeg,image/png"
        aria-describedby={`${id}-hint`}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0]
          if (file) void deed.run(async () => onKept(await keep(file)))
        }}
      />
    </div>
  )
}
