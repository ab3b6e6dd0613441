// Sign-in by a code sent to the phone: two questions, two presses.
import { useEffect, useState } from 'preact/hooks'
import { call, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import { signedIn } from '../api/session'
import type { Me } from '../api/types/identity'
import { clock, maskPhone } from '../i18n/format'
import { Button, Dialog, Field, Loading, ProblemNote, useTitle } from '../ui/parts'
import { w } from './words'

type Sent = { expires_in_s: number; simulated?: boolean }
type Message = { at: string; text: string; simulated?: boolean }

export const phoneLooksRight = (phone: string) => /^1[3-9]\d{9}$/.test(phone)

export function PatientSignIn({ onDone }: { onDone: () => void }) {
  const [phone, setPhone] = useState('')
  const [code, setCode] = useState('')
  const [sent, setSent] = useState<Sent>()
  const [wrong, setWrong] = useState('')
  const [inbox, setInbox] = useState(false)
  const deed = useDeed()
  useTitle(w('in.title'))

  const send = () => {
    if (!phoneLooksRight(phone)) return setWrong(w('in.phone.bad'))
    setWrong('')
    return void deed.run(async () => setSent(await post<Sent>('/auth/otp', { phone })))
  }
  const enter = () => {
    if (!/^\d{6}$/.test(code)) return setWrong(w('in.code.bad'))
    setWrong('')
    return void deed.run(async () => {
      signedIn(await post<Me>('/auth/otp/verify', { phone, code }))
      onDone()
    })
  }

  return (
    <main class="page" id="content">
      <header>
        <h1>{w('in.title')}</h1>
        <p class="meta">{w('in.lead')}</p>
      </header>
      <ProblemNote problem={deed.problem} />
      {!sent ? (
        <form
          class="stack"
          noValidate
          onSubmit={(event) => {
            event.preventDefault()
            send()
          }}
        >
          <Field
            label={w('in.phone')}
            name="phone"
            value={phone}
            onInput={(v) => setPhone(v.replace(/\D/g, ''))}
            type="tel"
            inputMode="tel"
            autoComplete="tel"
            maxLength={11}
            error={wrong}
          />
          <Button look="primary" type="submit" busy={deed.busy}>
            {w('in.send')}
          </Button>
        </form>
      ) : (
        <form
          class="stack"
          noValidate
          onSubmit={(event) => {
            event.preventDefault()
            enter()
          }}
        >
          <p>{w('in.code.sent', { phone: maskPhone(phone), n: Math.round(sent.expires_in_s / 60) })}</p>
          <Field
            label={w('in.code')}
            name="code"
            value={code}
            onInput={(v) => setCode(v.replace(/\D/g, ''))}
            inputMode="numeric"
            autoComplete="one-time-code"
            maxLength={6}
            error={wrong}
          />
          <Button look="primary" type="submit" busy={deed.busy}>
            {w('in.enter')}
          </Button>
          <div class="row">
            <Button look="quiet" onPress={send}>
              {w('in.again')}
            </Button>
            <Button look="quiet" onPress={() => setSent(undefined)}>
              {w('in.other')}
            </Button>
          </div>
        </form>
      )}
      {sent?.simulated && (
        <section class="simulator">
          <b>{w('sim.title')}</b>
          <p>{w('sim.body')}</p>
          <Button onPress={() => setInbox(true)} test="open-inbox">
            {w('sim.open')}
          </Button>
        </section>
      )}
      {inbox && <Inbox phone={phone} onClose={() => setInbox(false)} />}
      <p class="push" />
      <a class="button quiet" href="/staff">
        {w('staff.link')}
      </a>
    </main>
  )
}

function Inbox({ phone, onClose }: { phone: string; onClose: () => void }) {
  const messages = useResource(`inbox ${phone}`, (signal) =>
    call<Message[]>('POST', '/demo/inbox', { body: { phone }, signal }),
  )
  useEffect(() => {
    const again = setInterval(messages.refresh, 1000) // a message takes a moment, in the simulator too
    return () => clearInterval(again)
  }, [messages.refresh])
  return (
    <Dialog title={w('sim.title.inbox')} onClose={onClose}>
      <ProblemNote problem={messages.problem} again={messages.refresh} />
      {messages.loading && !messages.value && <Loading lines={2} />}
      {messages.value?.length === 0 && <p>{w('sim.empty')}</p>}
      <ul class="stack" data-test="inbox">
        {messages.value?.map((message) => (
          <li key={message.at} class="card">
            <span class="meta">{clock(message.at)}</span>
            <p>{message.text}</p>
          </li>
        ))}
      </ul>
    </Dialog>
  )
}
