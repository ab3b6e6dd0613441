// What a doctor who leads a room has beside the call, in a visit or a consult: words, who comes and goes, the recording.
import { useState } from 'preact/hooks'
import { Button, Dialog } from '../ui/parts'
import { SoundOnly } from './call'
import { Chat, type ChatState, useChat } from './chat'
import type { Lead, LinkKind, RoomDoor } from './door'
import { HostDoor, Invite } from './people'
import { type RecordingState, StopTape, TapeDesk, useRecording } from './recording'
import type { Room } from './room'
import { w } from './room_words'

export type RoomDesk = {
  at: string
  door: RoomDoor & { lead: Lead }
  room: Room
  chat: ChatState
  tape: RecordingState
  writing: boolean
  write: (on: boolean) => void
}

export function useRoomDesk(at: string, door: RoomDoor & { lead: Lead }, room: Room): RoomDesk {
  const [writing, write] = useState(false)
  return { at, door, room, chat: useChat(at, door, room), tape: useRecording(at, door, room), writing, write }
}

/** The keys to the words and to everything else; what the second one opens. */
export function DeskKeys({ desk, kinds }: { desk: RoomDesk; kinds: readonly LinkKind[] }) {
  const { chat, tape, writing, write, room, door } = desk
  const [more, setMore] = useState(false)
  const view = room.view.value
  return (
    <>
      <Button icon="send" pressed={writing} onPress={() => write(!writing)} test="chat-key">
        {chat.unread > 0 && !writing ? w('chat.new', { n: chat.unread }) : w('chat.title')}
      </Button>
      <Button icon="people" onPress={() => setMore(true)} test="more">
        {w('more')}
      </Button>
      {more && (
        <Dialog title={w('more')} onClose={() => setMore(false)}>
          <div class="stack">
            <SoundOnly checked={view.line.soundOnly} onChange={(only) => room.listenOnly(only)} />
            <StopTape recording={tape} seat={view.seat} />
            {kinds.map((kind) => door.invite && <Invite key={kind} kind={kind} invite={door.invite} />)}
          </div>
        </Dialog>
      )}
    </>
  )
}

export function DeskDoor({ desk }: { desk: RoomDesk }) {
  return (
    <>
      <HostDoor at={desk.at} view={desk.room.view.value} door={desk.door} lead={desk.door.lead} />
      <TapeDesk recording={desk.tape} />
    </>
  )
}

export function DeskChat({ desk }: { desk: RoomDesk }) {
  if (!desk.writing) return null
  return <Chat chat={desk.chat} door={desk.door} seat={desk.room.view.value.seat} open />
}
