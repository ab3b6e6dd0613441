// An issued prescription to take along: on paper, and as the file that proves it without the hospital.
import { useState } from 'preact/hooks'
import { get } from '../api/client'
import { useDeed } from '../api/resource'
import type { Proof } from '../api/types/prescribe'
import { Icon } from '../ui/icons'
import { Button, Notice, ProblemNote } from '../ui/parts'
import { w } from './words'

function keep(name: string, content: unknown) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000) // the browser reads it after the click
}

/** `at` is the prescription, or what a pharmacy holds of it: /prescriptions/… or /claims/…. */
export function PaperAndProof({ at, no }: { at: string; no: string }) {
  const [proof, setProof] = useState<Proof>()
  const deed = useDeed()
  const holds = proof?.faults.length === 0
  return (
    <section class="stack no-print" data-test="paper-and-proof">
      <div class="row">
        <a class="button" href={`/api/v1${at}/sheet.pdf`} target="_blank" rel="noreferrer" data-test="sheet">
          <Icon name="file" />
          <span>{w('paper.pdf')}</span>
        </a>
        <Button
          icon="check"
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              const found = await get<Proof>(`${at}/proof`)
              setProof(found)
              if (found.file && found.faults.length === 0) keep(`${no}.proof.json`, found.file)
            })
          }
          test="proof"
        >
          {w('proof.get')}
        </Button>
      </div>
      <p class="meta">{w('paper.say')}</p>
      <ProblemNote problem={deed.problem} />
      {proof && (
        <div data-test="proved" data-holds={holds}>
          <Notice tone={holds ? 'ok' : 'danger'} live title={w(holds ? 'proof.holds' : 'proof.fails')}>
            <p>{w(holds ? (proof.file ? 'proof.kept' : 'proof.nofile') : 'proof.stop')}</p>
            {proof.faults.length > 0 && (
              <ul lang="en">
                {proof.faults.map((fault) => (
                  <li key={fault}>{fault}</li>
                ))}
              </ul>
            )}
          </Notice>
        </div>
      )}
    </section>
  )
}
