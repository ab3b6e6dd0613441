// Sentences that a doctor uses again: pressed, they stand in the text; the text at hand can be kept as one.
import { useState } from 'preact/hooks'
import { get, put } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Phrases } from '../api/types/teleconsult'
import { Button, Loading, ProblemNote } from '../ui/parts'
import { w } from './words'

const most = 50 // of one field

export function PhraseBook({
  field,
  text,
  onTake,
}: {
  field: keyof Phrases
  text: string
  onTake: (phrase: string) => void
}) {
  const found = useResource(`phrases ${field}`, (signal) => get<Phrases>('/opinion-phrases', signal))
  const deed = useDeed()
  const [dropping, setDropping] = useState(false)
  const list = found.value?.[field] ?? []
  const words = text.trim()
  const keep = (change: (kept: string[]) => string[]) =>
    void deed.run(async () => {
      // Changed is what is kept now: it may have been changed meanwhile, here or on another screen.
      const now = await get<Phrases>('/opinion-phrases')
      found.set(await put<Phrases>('/opinion-phrases', { ...now, [field]: change(now[field]) }))
    })
  return (
    <details class="phrases" data-test={`phrases-${field}`}>
      <summary>{w('o.phrases')}</summary>
      <ProblemNote problem={deed.problem ?? found.problem} again={found.refresh} />
      {!found.value && !found.problem && <Loading />}
      {found.value && list.length === 0 && <p class="meta">{w('o.phrase.none')}</p>}
      <div class="stack">
        {list.map((phrase) => (
          <Button
            key={phrase}
            look={dropping ? 'danger' : 'plain'}
            busy={deed.busy}
            onPress={() => (dropping ? keep((kept) => kept.filter((other) => other !== phrase)) : onTake(phrase))}
            test="phrase"
          >
            {phrase}
          </Button>
        ))}
      </div>
      <div class="row">
        <Button
          look="quiet"
          busy={deed.busy}
          disabled={
            !found.value || words.length < 2 || words.length > 500 || list.includes(words) || list.length >= most
          }
          onPress={() => keep((kept) => [...kept.filter((other) => other !== words), words])}
          test="keep-phrase"
        >
          {w('o.phrase.keep')}
        </Button>
        {list.length > 0 && (
          <Button look="quiet" pressed={dropping} onPress={() => setDropping(!dropping)}>
            {w('o.phrase.drop')}
          </Button>
        )}
      </div>
    </details>
  )
}
