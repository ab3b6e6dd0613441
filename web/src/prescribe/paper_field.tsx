// A paper is uploaded at once and then named by its hash, so that who approves reads the very file.
import { useId } from 'preact/hooks'
import { call } from '../api/client'
import { useDeed } from '../api/resource'
import type { PolicyFile } from '../api/types'
import { ProblemNote } from '../ui/parts'
import { w } from './pharmacy_words'

async function keep(file: File): Promise<string> {
  const form = new FormData()
  form.set('file', file)
  return (await call<PolicyFile>('POST', '/policies/files', { form })).sha256
}

export function PaperField({
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
