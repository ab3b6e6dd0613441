// The doctor's own lines: taken into a prescription they are copies, and a copy is confirmed line by line.
import { call, get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { Favourite, RxItem } from '../api/types/prescribe'
import { Icon } from '../ui/icons'
import { w } from './desk_words'
import type { Line } from './order'
import { drugName, rxUse } from './patient_rx'

export function useFavourites() {
  const kept = useResource('favourites', (signal) => get<Favourite[]>('/favourites', signal))
  const deed = useDeed()
  const then = (what: Promise<unknown>) => what.then(kept.refresh)
  return {
    list: kept.value ?? [],
    problem: deed.problem ?? kept.problem,
    keep: ({ range: _, usual: __, name: ___, ...line }: Line) =>
      void deed.run(() => then(post('/favourites', { ...line, provenance: 'typed' }))),
    drop: (id: string) => void deed.run(() => then(call('DELETE', `/favourites/${id}`))),
  }
}

export function Favourites({
  list,
  onTake,
  onDrop,
}: {
  list: Favourite[]
  onTake: (line: RxItem) => void
  onDrop: (id: string) => void
}) {
  if (list.length === 0) return null
  return (
    <details data-test="favourites">
      <summary>{w('fav.title', { n: list.length })}</summary>
      <ul class="chips">
        {list.map(({ id, line }) => (
          <li key={id} class="chip">
            <button type="button" data-test="favourite" onClick={() => onTake(line)}>
              {drugName(line)} {rxUse(line)}
            </button>
            <button type="button" aria-label={w('fav.drop', { name: drugName(line) })} onClick={() => onDrop(id)}>
              <Icon name="cross" />
            </button>
          </li>
        ))}
      </ul>
    </details>
  )
}
