// The doctor's line beside the list: who has just come, and the number that is called, called again or passed over.
import { useEffect, useRef, useState } from 'preact/hooks'
import { post } from '../api/client'
import { useDeed, useOnce } from '../api/resource'
import type { Visit } from '../api/types/visit'
import { useKeys } from '../ui/keys'
import { Button, Notice, ProblemNote } from '../ui/parts'
import { w } from './desk_words'

/** Acts on the waiting visit that is open, else on the first in line. Pressed again, the number is called again. */
export function CallDesk({
  waiting,
  chosen,
  onChanged,
}: {
  waiting: Visit[]
  chosen: string | undefined
  onChanged: () => void
}) {
  const deed = useDeed()
  const once = useOnce()
  const one = waiting.find((visit) => visit.id === chosen) ?? waiting[0]
  const act = (what: 'call' | 'skip') => {
    if (!one) return
    void deed.run(async () => {
      await post<Visit>(`/visits/${one.id}/${what}`, undefined, once([one.id, what, one.version]))
      onChanged()
    })
  }
  useKeys({ F4: () => act('call'), F7: () => act('skip') })
  if (!one) return null
  const n = one.token ?? 0
  return (
    <div class="stack" data-test="call-desk">
      <div class="row">
        <Button busy={deed.busy} onPress={() => act('call')} test="call">
          {w(one.called ? 'line.again' : 'line.call', { n })} <kbd>F4</kbd>
        </Button>
        <Button look="quiet" busy={deed.busy} onPress={() => act('skip')} test="skip">
          {w('line.skip')} <kbd>F7</kbd>
        </Button>
      </div>
      <ProblemNote problem={deed.problem} />
    </div>
  )
}

/** Says who has come since the list was first read, until the doctor has called or admitted them. */
export function Arrivals({ waiting }: { waiting: Visit[] | undefined }) {
  const seen = useRef<Set<string> | undefined>(undefined)
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set())
  useEffect(() => {
    if (!waiting) return
    const before = seen.current
    seen.current = new Set(waiting.map((one) => one.id))
    if (before) setFresh((known) => new Set([...known, ...[...(seen.current ?? [])].filter((id) => !before.has(id))]))
  }, [waiting])
  const arrived = waiting?.filter((one) => fresh.has(one.id) && !one.called) ?? []
  return (
    <div role="status" data-test="arrivals">
      {arrived.length > 0 && (
        <Notice
          tone="info"
          title={arrived.map((one) => w('line.arrived', { n: one.token ?? 0, name: one.person.name })).join('，')}
        />
      )}
    </div>
  )
}
