// Words and papers of a visit: what is sent is kept with it, and stays readable afterwards.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { Problem } from '../api/client'
import { useDeed, useOnce, useResource } from '../api/resource'
import type { VisitMessage } from '../api/types/visit'
import { clock } from '../i18n/format'
import { Button, Field, ProblemNote } from '../ui/parts'
import type { Door } from './door'
import type { Room } from './room'
import { roleWord, w } from './room_words'

export type ChatState = {
  messages: VisitMessage[]
  unread: number
  problem: Problem | undefined
  refresh: () => void
  seen: () => void
  added: (message: VisitMessage) => void
}

const topic = 'chat'

/** The visit's messages as they come: the room says that there is a new one, the server has it. Without a key it waits. */
export function useChat(key: string | undefined, door: Door, room?: Room): ChatState {
  const list = useResource(key && `messages ${key}`, door.messages, ['message.added'])
  const [seen, setSeen] = useState(0)
  const { refresh, set, value } = list
  useEffect(() => room?.onSaid(topic, () => refresh()), [room, refresh])
  const messages = value ?? []
  const count = messages.length
  return {
    messages,
    unread: Math.max(0, count - seen),
    problem: list.problem,
    refresh,
    seen: useCallback(() => setSeen(count), [count]),
    added: (message) => {
      if (!messages.some((one) => one.id === message.id)) set([...messages, message])
      setSeen(count + 1)
      room?.say(topic, message.id)
    },
  }
}

export function Chat({ chat, door, seat, open }: { chat: ChatState; door: Door; seat: string; open: boolean }) {
  const [text, setText] = useState('')
  const deed = useDeed()
  const once = useOnce()
  const bottom = useRef<HTMLLIElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const { seen } = chat
  useEffect(() => {
    seen()
    bottom.current?.scrollIntoView({ block: 'nearest' })
  }, [seen])
  const send = () => {
    if (text.trim() === '') return
    void deed.run(async () => {
      chat.added(await door.say(text, once(text)))
      setText('')
    })
  }
  const share = (file: File) =>
    void deed.run(async () => chat.added(await door.share(file, once([file.name, file.size, file.lastModified]))))
  return (
    <div class="chat" data-test="chat">
      <ol class="said" aria-live="polite" aria-label={w('chat.title')}>
        {chat.messages.length === 0 && <li class="meta">{open ? w('chat.empty') : w('chat.none')}</li>}
        {chat.messages.map((message) => (
          <li
            key={message.id}
            ref={bottom}
            class={message.seat === seat ? 'mine' : undefined}
            data-test="message"
            data-role={message.role}
          >
            <span class="meta">
              {message.name} · {roleWord(message.role)} · {clock(message.at)}
            </span>
            {message.text && <p>{message.text}</p>}
            {message.file && <Paper id={message.id} name={message.file.name} door={door} />}
          </li>
        ))}
      </ol>
      <ProblemNote problem={deed.problem} />
      {chat.problem && <ProblemNote problem={chat.problem} again={chat.refresh} />}
      {open && (
        <form
          class="write"
          onSubmit={(event) => {
            event.preventDefault()
            send()
          }}
        >
          <Field label={w('chat.field')} lines={2} value={text} onInput={setText} maxLength={2000} name="message" />
          <div class="row">
            <Button look="primary" type="submit" icon="send" busy={deed.busy} test="chat-send">
              {w('chat.send')}
            </Button>
            <Button icon="photo" busy={deed.busy} onPress={() => picker.current?.click()} test="chat-file">
              {w('chat.file')}
            </Button>
            <input
              ref={picker}
              type="file"
              class="visually-hidden"
              tabIndex={-1}
              aria-label={w('chat.file')}
              accept="image/jpeg,image/png,application/pdf"
              onChange={(event) => {
                const [file] = event.currentTarget.files ?? []
                event.currentTarget.value = ''
                if (file) share(file)
              }}
            />
          </div>
          <p class="meta">
            {w('chat.file.hint')} · {w('chat.kept')}
          </p>
        </form>
      )}
    </div>
  )
}

/** A photo or paper: loaded when asked for, since the line may carry little. */
function Paper({ id, name, door }: { id: string; name: string; door: Door }) {
  const [shown, setShown] = useState<{ url: string; picture: boolean }>()
  const deed = useDeed()
  useEffect(() => () => shown && URL.revokeObjectURL(shown.url), [shown])
  if (!shown)
    return (
      <>
        <Button
          icon="file"
          busy={deed.busy}
          test="open-file"
          onPress={() =>
            void deed.run(async () => {
              const blob = await door.open(id)
              setShown({ url: URL.createObjectURL(blob), picture: blob.type.startsWith('image/') })
            })
          }
        >
          {w('chat.open', { name })}
        </Button>
        <ProblemNote problem={deed.problem} />
      </>
    )
  return (
    <a href={shown.url} target="_blank" rel="noreferrer">
      {shown.picture ? <img src={shown.url} alt={name} /> : w('chat.tab', { name })}
    </a>
  )
}
