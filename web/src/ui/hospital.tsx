// Who works for several hospitals chooses the one a desk is about; who works for one is not asked.
import type { ComponentChild } from 'preact'
import { useState } from 'preact/hooks'
import { me } from '../api/session'
import type { Place } from '../api/types/common'
import type { Role } from '../api/types/identity'
import { Select } from './parts'
import { w } from './words'

/** The hospital at hand among those where the person has one of the roles, and the field to change it. */
export function useHospital(...roles: Role[]): { id: string; name: string; chooser: ComponentChild } {
  const held = me().roles.flatMap(({ role, place }) => (roles.includes(role) ? [place] : []))
  const places: Place[] = [...new Map(held.map((place) => [place.id, place])).values()]
  const [chosen, setChosen] = useState(places[0]?.id ?? '')
  const at = places.find(({ id }) => id === chosen)
  return {
    id: chosen,
    name: at?.name ?? '',
    chooser: places.length > 1 && (
      <Select
        label={w('hospital')}
        value={chosen}
        options={places.map(({ id, name }) => ({ value: id, label: name }))}
        onChange={setChosen}
      />
    ),
  }
}
