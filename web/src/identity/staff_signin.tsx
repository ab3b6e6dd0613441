// Staff sign in with login, password and a one-time code.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import { signedIn } from '../api/session'
import type { Me } from '../api/types/identity'
import { lang } from '../i18n/i18n'
import { Mark } from '../ui/icons'
import { Button, Field, ProblemNote, useTitle } from '../ui/parts'
import { w as ui } from '../ui/words'
import { w } from './words'

export function StaffSignIn() {
  const [login, setLogin] = useState('')
  const [password, setPassword] = useState('')
  const [totp, setTotp] = useState('')
  const [missing, setMissing] = useState(false)
  const deed = useDeed()
  useTitle(w('desk.title'))
  const enter = () => {
    const complete = login.trim() !== '' && password !== '' && /^\d{6}$/.test(totp)
    setMissing(!complete)
    if (complete)
      void deed.run(async () => signedIn(await post<Me>('/auth/password', { login: login.trim(), password, totp })))
  }
  return (
    <div class="signin">
      <main id="content">
        <div class="row">
          <Mark />
          <b class="grow">{ui('app.name')}</b>
          <Button look="quiet" onPress={() => (lang.value = lang.value === 'zh' ? 'en' : 'zh')}>
            {ui('nav.lang')}
          </Button>
        </div>
        <div class="tight">
          <h1>{w('desk.title')}</h1>
          <p class="meta">{w('desk.lead')}</p>
        </div>
        <ProblemNote problem={deed.problem} />
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault()
            enter()
          }}
        >
          <Field
            label={w('desk.login')}
            name="login"
            value={login}
            onInput={setLogin}
            autoComplete="username"
            maxLength={60}
          />
          <Field
            label={w('desk.password')}
            name="password"
            type="password"
            value={password}
            onInput={setPassword}
            autoComplete="current-password"
          />
          <Field
            label={w('desk.totp')}
            hint={w('desk.totp.hint')}
            name="totp"
            inputMode="numeric"
            autoComplete="one-time-code"
            maxLength={6}
            value={totp}
            onInput={(value) => setTotp(value.replace(/\D/g, ''))}
            error={missing ? w('desk.missing') : undefined}
          />
          <Button look="primary" type="submit" busy={deed.busy}>
            {w('desk.enter')}
          </Button>
        </form>
        <DemoCast
          onPick={(one) => {
            setLogin(one.sign_in.login ?? '')
            setPassword(one.sign_in.password ?? '')
            setTotp(one.sign_in.totp_now ?? '')
          }}
        />
        <a href="/">{w('desk.patient')}</a>
      </main>
    </div>
  )
}

type DemoPerson = {
  id: string
  name: string
  role: string
  place: string
  story: string
  sign_in: { login?: string; password?: string; totp_now?: string }
}

/** The invented people of a demonstration; a real platform does not know this address and shows nothing here. */
function DemoCast({ onPick }: { onPick: (person: DemoPerson) => void }) {
  const cast = useResource('cast', (signal) => get<DemoPerson[]>('/demo/cast', signal))
  const staff = cast.value?.filter((one) => one.sign_in.login) ?? []
  if (staff.length === 0) return null
  const pick = (login: string) =>
    void get<DemoPerson[]>('/demo/cast').then((fresh) => {
      const one = fresh.find((person) => person.sign_in.login === login)
      if (one) onPick(one)
    })
  return (
    <section class="simulator stack">
      <b>{w('demo.title')}</b>
      <p class="meta">{w('demo.say')}</p>
      <div class="cast">
        {staff.map((one) => (
          <Button key={one.id} onPress={() => pick(one.sign_in.login ?? '')} title={one.story}>
            {one.name} {w(`role.${roleOf(one.role)}`)}
          </Button>
        ))}
      </div>
    </section>
  )
}

const roles = ['doctor', 'pharmacist', 'coordinator', 'administrator', 'regulator'] as const
const roleOf = (role: string) => roles.find((one) => one === role) ?? 'doctor'
