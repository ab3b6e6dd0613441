// The call as the patient sees it: the doctor, the own picture, one sentence about the line, and buttons with words that never move.
import { useEffect, useState } from 'preact/hooks'
import { least } from '../signal/ladder'
import { Icon } from '../ui/icons'
import { Dialog, Tick } from '../ui/parts'
import { Chat, useChat } from './chat'
import type { Door } from './door'
import { Instruments } from './instruments'
import { MoreDialog } from './people'
import { Consent, ConsentDialog, RedLight, StopTape, useRecording } from './recording'
import type { Remote, Room, RoomView } from './room'
import { w as say, withRole } from './room_words'
import { ShareScreen } from './share_screen'
import { Picture, soundHeld } from './waiting'
import { w } from './words'

export function lasting(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const two = (n: number) => String(n).padStart(2, '0')
  const hours = Math.floor(whole / 3600)
  return `${hours > 0 ? `${hours}:` : ''}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}

type Told = Pick<RoomView, 'phase' | 'returned' | 'mic'> & {
  remotes: readonly Pick<Remote, 'name' | 'lost'>[]
  line: Pick<RoomView['line'], 'sends' | 'takes' | 'soundOnly'>
}

/** One true sentence about the line; a way back is said once and then left alone. */
export function lineSentence(view: Told): { text: string; trouble: boolean } {
  if (view.phase === 'connecting') return { text: w('call.joining'), trouble: false }
  if (view.phase === 'reconnecting') return { text: w('net.retry'), trouble: true }
  const lost = view.remotes.filter((remote) => remote.lost).map(({ name }) => name)
  if (lost.length > 0) {
    const text = view.remotes.length > 1 ? w('net.peers', { names: lost.join('、') }) : w('net.peer')
    return { text, trouble: true }
  }
  if (soundHeld.value) return { text: w('call.touch'), trouble: true }
  if (view.returned) return { text: w('net.back'), trouble: false }
  if (!view.mic) return { text: w('call.muted'), trouble: false }
  const { sends, takes, soundOnly } = view.line
  const rung = soundOnly ? sends : least(sends, takes)
  if (rung === 'text') return { text: w('rung.text'), trouble: true }
  if (soundOnly) return { text: w('rung.chosen'), trouble: false }
  if (rung === 'audio' || rung === 'still' || rung === '180p') return { text: w(`rung.${rung}`), trouble: false }
  return { text: w('call.good'), trouble: false }
}

/** How the line is, as a light with its word: a bar, two, three. */
export function LineLight({ light }: { light: string }) {
  if (light !== 'good' && light !== 'fair' && light !== 'poor') return null
  return (
    <span class={`line-light ${light}`} data-test="light" data-light={light}>
      <Icon name={`bars_${light}`} />
      {w(`light.${light}`)}
    </span>
  )
}

const callAfter = 20_000

/** The telephone is always the last rung: offered when words no longer get through, or the line is away for long. */
export function usePhoneOffer(view: Pick<RoomView, 'phase' | 'line'>): boolean {
  const [late, setLate] = useState(false)
  const away = view.phase === 'reconnecting'
  useEffect(() => {
    setLate(false)
    if (!away) return
    const timer = setTimeout(() => setLate(true), callAfter)
    return () => clearTimeout(timer)
  }, [away])
  return (away && late) || view.line.sends === 'text' || view.line.takes === 'text'
}

const quiet = 3000

/** False while a call begins: on a thin line what a page asks of the house stands before the first sound. */
function useBegun(): boolean {
  const [begun, setBegun] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setBegun(true), quiet)
    return () => clearTimeout(timer)
  }, [])
  return begun
}

/** The others in the room, one picture each; one person fills the stage, more share it. */
export function CallScreen({
  place,
  alone,
  myName,
  nameOf = withRole,
  room,
  door,
  chatKey,
  phone,
  urgent = false,
  onHang,
}: {
  place: string
  /** Of the hospital; undefined where none is known. */
  phone?: string
  /** The visit has ended as an emergency: 120 stands over all, and the call goes on. */
  urgent?: boolean
  alone: string
  myName: string
  nameOf?: (remote: Remote) => string
  room: Room
  /** Undefined where nothing is written or shown. */
  door: Door | undefined
  chatKey: string
  onHang: () => void
}) {
  const view = room.view.value
  const [seconds, setSeconds] = useState(0)
  const [open, setOpen] = useState<'chat' | 'more' | undefined>()
  useEffect(() => {
    const since = Date.now()
    const tick = setInterval(() => setSeconds((Date.now() - since) / 1000), 1000)
    return () => clearInterval(tick)
  }, [])
  const sentence = lineSentence(view)
  const offer = usePhoneOffer(view)
  return (
    <main class="call-screen" id="content" data-test="call" data-phase={view.phase}>
      <h1 class="visually-hidden">{w('state.in_consult')}</h1>
      <RedLight on={view.recording} />
      {urgent && (
        <div class="call-urgent" role="alert" data-test="urgent">
          <a href="tel:120">{w('end.emergency')}</a>
          <span>{w('call.urgent')}</span>
        </div>
      )}
      <div class="call-top">
        <Icon name="lock" />
        <span>{place}</span>
        <span class="space" />
        <LineLight light={view.line.light} />
        <span>{w('call.lasting', { t: lasting(seconds) })}</span>
      </div>
      <div class={`call-stage${view.remotes.length > 1 ? ' many' : ''}`}>
        {view.remotes.length === 0 && <Nobody name={alone} />}
        {view.remotes.map((remote) => (
          <div class="call-person" key={remote.seat} data-test="person" data-role={remote.role}>
            <Picture stream={remote.stream} label={nameOf(remote)} onHeight={remote.sized} />
            {!remote.video && remote.still && (
              <img class="still" src={remote.still} alt={nameOf(remote)} data-test="still" />
            )}
            {!remote.video && !remote.still && <Nobody name={nameOf(remote)} />}
            <span class="who">
              {nameOf(remote)} <LineLight light={remote.light} />
            </span>
          </div>
        ))}
        {view.local && view.camera && (
          <div class="self">
            <Picture stream={view.local} muted mirror label={w('dev.self')} />
          </div>
        )}
      </div>
      <div class="line-state" role="status" data-test="line">
        {sentence.trouble && (
          <span class="reconnecting-mark">
            <Icon name="warn" />
          </span>
        )}
        <span>{sentence.text}</span>
        {offer && phone && (
          <a class="dial" href={`tel:${phone.replace(/[^0-9+]/g, '')}`} data-test="dial">
            {w('call.phone', { phone })}
          </a>
        )}
      </div>
      <div class="call-keys">
        <button type="button" aria-pressed={!view.mic} onClick={() => room.setMic(!view.mic)} data-test="mic">
          <Icon name={view.mic ? 'mic' : 'micOff'} />
          {view.mic ? w('call.mic.off') : w('call.mic.on')}
        </button>
        <button
          type="button"
          aria-pressed={!view.camera}
          onClick={() => room.setCamera(!view.camera)}
          data-test="camera"
        >
          <Icon name={view.camera ? 'camera' : 'cameraOff'} />
          {view.camera ? w('call.cam.off') : w('call.cam.on')}
        </button>
        {door && (
          <ChatKey
            door={door}
            chatKey={chatKey}
            room={room}
            open={open === 'chat'}
            onOpen={(chat) => setOpen(chat ? 'chat' : undefined)}
          />
        )}
        {door && (
          <MoreKey
            door={door}
            chatKey={chatKey}
            room={room}
            myName={myName}
            open={open === 'more'}
            onOpen={(more) => setOpen(more ? 'more' : undefined)}
          />
        )}
        <button type="button" class="hang" onClick={onHang} data-test="hang">
          <Icon name="hangup" />
          {w('call.hang')}
        </button>
      </div>
    </main>
  )
}

export function SoundOnly({ checked, onChange }: { checked: boolean; onChange: (only: boolean) => void }) {
  return (
    <Tick label={w('only.sound')} note={w('only.sound.note')} checked={checked} onChange={onChange} test="sound-only" />
  )
}

/** The key to people, devices and choices; behind it also the question about a recording, which asks by itself. */
function MoreKey({
  door,
  chatKey,
  room,
  myName,
  open,
  onOpen,
}: {
  door: Door
  chatKey: string
  room: Room
  myName: string
  open: boolean
  onOpen: (open: boolean) => void
}) {
  const view = room.view.value
  const recording = useRecording(useBegun() ? chatKey : undefined, door, room)
  return (
    <>
      <button type="button" onClick={() => onOpen(true)} data-test="more">
        <Icon name="people" />
        {say('more')}
      </button>
      <ConsentDialog recording={recording} />
      {open && (
        <MoreDialog view={view} myName={myName} door={door} onClose={() => onOpen(false)}>
          <ShareScreen room={room} />
          {door.rack && <Instruments at={chatKey} rack={door.rack} remotes={view.remotes} />}
          <SoundOnly checked={view.line.soundOnly} onChange={(only) => room.listenOnly(only)} />
          <Consent recording={recording} />
          <StopTape recording={recording} seat={view.seat} />
        </MoreDialog>
      )}
    </>
  )
}

/** The key to the words, with how many are new, and the words behind it. */
function ChatKey({
  door,
  chatKey,
  room,
  open,
  onOpen,
}: {
  door: Door
  chatKey: string
  room: Room
  open: boolean
  onOpen: (open: boolean) => void
}) {
  const chat = useChat(useBegun() ? chatKey : undefined, door, room)
  return (
    <>
      <button type="button" onClick={() => onOpen(true)} data-test="chat-key">
        <Icon name="send" />
        {chat.unread > 0 ? say('chat.new', { n: chat.unread }) : say('chat.title')}
      </button>
      {open && (
        <Dialog title={say('chat.title')} onClose={() => onOpen(false)}>
          <Chat chat={chat} door={door} seat={room.view.value.seat} open />
        </Dialog>
      )}
    </>
  )
}

function Nobody({ name }: { name: string }) {
  return (
    <div class="nobody">
      <Icon name="person" />
      <span>{name}</span>
    </div>
  )
}
