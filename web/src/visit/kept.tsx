// What stays of the room after a visit: who was there, what was written and shown.
import { useMemo } from 'preact/hooks'
import { get } from '../api/client'
import { useResource } from '../api/resource'
import type { Companion, Visit } from '../api/types'
import { Chat, useChat } from './chat'
import { visitDoor } from './door'
import { w, withRole } from './room_words'

export function Kept({ visit, seat = 'patient' }: { visit: Pick<Visit, 'id'>; seat?: string }) {
  const door = useMemo(() => visitDoor(visit.id), [visit.id])
  const chat = useChat(visit.id, door)
  const present = useResource(`companions ${visit.id}`, (signal) =>
    get<Companion[]>(`/visits/${visit.id}/companions`, signal),
  )
  const were = present.value?.filter((one) => one.state === 'admitted') ?? []
  if (chat.messages.length === 0 && were.length === 0) return null
  return (
    <section class="card stack" data-test="kept">
      {were.length > 0 && (
        <>
          <h2>{w('people.were')}</h2>
          <ul class="people">
            {were.map((one) => (
              <li key={one.id}>
                {withRole(one)}
                {one.relation ? ` · ${one.relation}` : ''}
              </li>
            ))}
          </ul>
        </>
      )}
      {chat.messages.length > 0 && (
        <>
          <h2>{w('chat.title')}</h2>
          <Chat chat={chat} door={door} seat={seat} open={false} />
        </>
      )}
    </section>
  )
}
