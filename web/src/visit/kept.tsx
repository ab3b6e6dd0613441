// What stays of a room after a visit or consult: who was there, what was written and shown, the recording, the line.
import { useResource } from '../api/resource'
import { Chat, useChat } from './chat'
import type { RoomDoor } from './door'
import { Player } from './recording'
import { roleWordOfSeat, w, withRole } from './room_words'

export function Kept({ at, door, seat }: { at: string; door: RoomDoor; seat: string }) {
  const chat = useChat(at, door)
  const present = useResource(`companions ${at}`, door.companions)
  const were = present.value?.filter((one) => one.state === 'admitted') ?? []
  const line = useResource(`quality ${at}`, door.quality)
  const tape = useResource(`recording ${at}`, door.recording)
  const seats = line.value?.seats ?? []
  const taped = tape.value && (tape.value.takes.length > 0 || tape.value.state === 'erased')
  if (chat.messages.length === 0 && were.length === 0 && seats.length === 0 && !taped) return null
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
      {tape.value && <Player door={door} recording={tape.value} />}
      {seats.length > 0 && (
        <>
          <h2>{w('line.title')}</h2>
          <ul class="tight" data-test="line-kept">
            {seats.map((one) => (
              <li key={one.seat} class="meta">
                {w('line.seat', {
                  who: roleWordOfSeat(one.seat),
                  rtt: Math.round(one.rtt_ms),
                  loss: (one.loss * 100).toFixed(1),
                  concealed: (one.concealed * 100).toFixed(1),
                  gaps: line.value?.gaps.filter((gap) => gap.seat === one.seat).length ?? 0,
                })}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}
