// Instruments in the room: a device gets its address and token once, on screen; the list says which of them send.
import { useState } from 'preact/hooks'
import { useDeed, useResource } from '../api/resource'
import type { InstrumentPass } from '../api/types/visit'
import { clock } from '../i18n/format'
import { Button, Dialog, Field, ProblemNote, Select } from '../ui/parts'
import type { Rack } from './door'
import type { Remote } from './room'
import { instrumentKinds, roleWord, w } from './room_words'

type Kind = InstrumentPass['kind']

/** The key to the instruments and the panel behind it. */
export function Instruments({ at, rack, remotes }: { at: string; rack: Rack; remotes: readonly Remote[] }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button icon="camera" onPress={() => setOpen(true)} test="instruments">
        {w('rack.open')}
      </Button>
      {open && (
        <Dialog title={w('rack.title')} onClose={() => setOpen(false)}>
          <Panel at={at} rack={rack} remotes={remotes} />
        </Dialog>
      )}
    </>
  )
}

function Panel({ at, rack, remotes }: { at: string; rack: Rack; remotes: readonly Remote[] }) {
  const { value, problem, refresh, set } = useResource(`instruments ${at}`, rack.list)
  const [kind, setKind] = useState<Kind>('ultrasound')
  const [name, setName] = useState('')
  const [pass, setPass] = useState<InstrumentPass>()
  const deed = useDeed()
  const give = (ask: () => Promise<InstrumentPass>) =>
    void deed.run(async () => {
      setPass(await ask())
      setName('')
      refresh()
    })
  return (
    <div class="stack" data-test="rack">
      <ProblemNote problem={deed.problem ?? problem} again={refresh} />
      {pass && <Pass pass={pass} />}
      {value?.length === 0 && <p class="meta">{w('rack.none')}</p>}
      <ul class="people">
        {value?.map((one) => {
          const sends = remotes.some((remote) => remote.seat === one.seat && remote.video)
          return (
            <li key={one.id} class="row" data-test="instrument" data-sends={sends}>
              <span class="grow">
                {one.name} · {roleWord(one.kind)}
              </span>
              <span class={sends ? 'tag ok' : 'tag'}>{sends ? w('rack.on') : w('rack.off')}</span>
              {!sends && (
                <Button look="quiet" busy={deed.busy} onPress={() => give(() => rack.again(one.id))}>
                  {w('rack.again', { name: one.name })}
                </Button>
              )}
              <Button
                look="quiet"
                busy={deed.busy}
                test="remove-instrument"
                onPress={() =>
                  void deed.run(async () => {
                    set(await rack.remove(one.id))
                    if (pass?.id === one.id) setPass(undefined)
                  })
                }
              >
                {w('rack.remove', { name: one.name })}
              </Button>
            </li>
          )
        })}
      </ul>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          give(() => rack.add(kind, name.trim()))
        }}
      >
        <Select
          label={w('rack.kind')}
          value={kind}
          options={instrumentKinds.map((value) => ({ value, label: roleWord(value) }))}
          onChange={setKind}
        />
        <Field
          label={w('rack.name')}
          hint={w('rack.name.hint')}
          name="instrument"
          value={name}
          onInput={setName}
          maxLength={40}
        />
        <Button type="submit" look="primary" busy={deed.busy} disabled={name.trim() === ''} test="add-instrument">
          {w('rack.add')}
        </Button>
      </form>
    </div>
  )
}

/** What goes into the device. It is gone when the panel is closed. */
function Pass({ pass }: { pass: InstrumentPass }) {
  const [copied, setCopied] = useState('')
  const copy = (what: 'url' | 'token') =>
    void navigator.clipboard.writeText(pass[what]).then(
      () => setCopied(what),
      () => undefined, // it stands above to be copied by hand
    )
  return (
    <section class="stack invitation" data-test="instrument-pass">
      <h3>
        {pass.name} · {roleWord(pass.kind)}
      </h3>
      <p>{w('rack.once', { until: clock(pass.expires) })}</p>
      <img class="qr-link" src={`data:image/png;base64,${pass.qr}`} alt={w('rack.qr')} width={300} height={300} />
      <span class="meta">{w('rack.url')}</span>
      <p class="link mono" data-test="whip-url">
        {pass.url}
      </p>
      <Button onPress={() => copy('url')}>{copied === 'url' ? w('invite.copied') : w('rack.copy.url')}</Button>
      <span class="meta">{w('rack.token')}</span>
      <p class="link mono" data-test="whip-token">
        {pass.token}
      </p>
      <Button onPress={() => copy('token')}>{copied === 'token' ? w('invite.copied') : w('rack.copy.token')}</Button>
    </section>
  )
}
