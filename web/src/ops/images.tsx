// How much room a hospital's images take and may take, and the machines that hand images in for it.
import { useState } from 'preact/hooks'
import { get, post, put } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import { bytes, moment } from '../i18n/format'
import { Button, Dialog, Field, Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { w } from './image_words'

export type Holding = {
  institution_id: string
  institution: string
  bytes: number
  quota: number
  own: boolean
  set_at?: string
}

export type Device = {
  id: string
  institution_id: string
  name: string
  made_at: string
  revoked_at?: string
  seen_at?: string
  state: { queued: number; bytes: number; refused: number; holds_since?: string; last_error?: string }
  /** Only in the answer that makes it. */
  token?: string
}

/** A quota beyond this is as good as none: the server writes its largest number for "without limit". */
const endless = 1e15

/** What a device's line says: ended, never heard, silent for longer than it should be, in trouble, or well. */
export function standing(device: Device, now: Date): 'ended' | 'new' | 'silent' | 'trouble' | 'well' {
  if (device.revoked_at) return 'ended'
  if (!device.seen_at) return 'new'
  if (now.getTime() - new Date(device.seen_at).getTime() > 5 * 60_000) return 'silent'
  return device.state.last_error || device.state.refused > 0 ? 'trouble' : 'well'
}

const tone = { ended: '', new: '', silent: 'warn', trouble: 'warn', well: 'ok' } as const

export function ImagesPage() {
  const holdings = useResource('holdings', (signal) => get<Holding[]>('/imaging/holdings', signal))
  const devices = useResource('devices', (signal) => get<Device[]>('/imaging/devices', signal))
  useTitle(w('title'))
  return (
    <main class="column paper" id="content" data-test="images">
      <div class="top">
        <h1>{w('title')}</h1>
        <Button
          onPress={() => {
            holdings.refresh()
            devices.refresh()
          }}
          busy={holdings.loading || devices.loading}
        >
          {w('again')}
        </Button>
      </div>
      <ProblemNote problem={holdings.problem ?? devices.problem} again={holdings.refresh} />
      {!holdings.value && !holdings.problem && <Loading />}
      {holdings.value?.map((holding) => (
        <section class="stack" key={holding.institution_id}>
          <h2>{holding.institution}</h2>
          <Room holding={holding} changed={holdings.refresh} />
          <Devices
            institution={holding.institution_id}
            all={devices.value?.filter((device) => device.institution_id === holding.institution_id) ?? []}
            changed={devices.refresh}
          />
        </section>
      ))}
    </main>
  )
}

function Room({ holding, changed }: { holding: Holding; changed: () => void }) {
  const [gigabytes, setGigabytes] = useState('')
  const deed = useDeed()
  const limited = holding.quota < endless
  const share = limited ? holding.bytes / holding.quota : 0
  const wanted = Number(gigabytes)
  const good = /^\d{1,6}$/.test(gigabytes) && wanted > 0
  const set = (quota: number) =>
    void deed.run(async () => {
      await put(`/imaging/holdings/${holding.institution_id}`, { quota })
      setGigabytes('')
      changed()
    })
  return (
    <div class="card stack" data-test="room">
      <p class="figure">
        {limited
          ? w('room.of', { used: bytes(holding.bytes), quota: bytes(holding.quota) })
          : w('room.free', { used: bytes(holding.bytes) })}
      </p>
      {limited && (
        <progress max={holding.quota} value={Math.min(holding.bytes, holding.quota)} aria-label={w('room.used')} />
      )}
      {share >= 1 && <Notice tone="danger" title={w('room.full')} />}
      {share >= 0.9 && share < 1 && <Notice tone="warn" title={w('room.near')} />}
      <p class="meta">
        {holding.own && holding.set_at ? w('room.own', { at: moment(holding.set_at) }) : w('room.common')}
      </p>
      <ProblemNote problem={deed.problem} />
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (good) set(wanted * 1e9)
        }}
      >
        <Field
          label={w('room.new')}
          name="quota"
          inputMode="numeric"
          autoComplete="off"
          value={gigabytes}
          onInput={setGigabytes}
          unit="GB"
          error={gigabytes !== '' && !good ? w('room.wrong') : undefined}
        />
        <div class="row">
          <Button look="primary" type="submit" busy={deed.busy} disabled={!good} test="set-quota">
            {w('room.set')}
          </Button>
          {holding.own && (
            <Button busy={deed.busy} onPress={() => set(0)} test="common-quota">
              {w('room.back')}
            </Button>
          )}
        </div>
      </form>
    </div>
  )
}

function Devices({ institution, all, changed }: { institution: string; all: Device[]; changed: () => void }) {
  const [name, setName] = useState('')
  const [made, setMade] = useState<Device>()
  const [ending, setEnding] = useState<Device>()
  const deed = useDeed()
  return (
    <div class="card stack" data-test="devices">
      <h3>{w('devices')}</h3>
      <p class="meta">{w('devices.say')}</p>
      {all.length === 0 && <p>{w('devices.none')}</p>}
      {all.map((device) => (
        <Line key={device.id} device={device} end={() => setEnding(device)} />
      ))}
      <ProblemNote problem={deed.problem} />
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void deed.run(async () => {
            setMade(await post<Device>(`/imaging/devices?institution=${institution}`, { name: name.trim() }))
            setName('')
            changed()
          })
        }}
      >
        <Field
          label={w('device.name')}
          name="device"
          autoComplete="off"
          maxLength={60}
          placeholder={w('device.example')}
          value={name}
          onInput={setName}
        />
        <div class="row">
          <Button look="primary" type="submit" busy={deed.busy} disabled={name.trim() === ''} test="make-device">
            {w('device.make')}
          </Button>
        </div>
      </form>
      {made?.token && (
        <Dialog
          title={w('token.title', { name: made.name })}
          onClose={() => setMade(undefined)}
          closing={w('token.kept')}
        >
          <p>{w('token.once')}</p>
          <p class="mono" data-test="token" style={{ overflowWrap: 'anywhere', userSelect: 'all' }}>
            {made.token}
          </p>
        </Dialog>
      )}
      {ending && (
        <Dialog
          title={w('end.title', { name: ending.name })}
          onClose={() => setEnding(undefined)}
          closing={w('end.not')}
        >
          <p>{w('end.say')}</p>
          <div class="row">
            <Button
              look="danger"
              busy={deed.busy}
              test="end-device-now"
              onPress={() =>
                void deed.run(async () => {
                  await post<Device>(`/imaging/devices/${ending.id}/revoke`)
                  setEnding(undefined)
                  changed()
                })
              }
            >
              {w('end.now')}
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  )
}

function Line({ device, end }: { device: Device; end: () => void }) {
  const how = standing(device, new Date())
  const { queued, refused, last_error } = device.state
  return (
    <div class="tight" data-test="device" data-state={how}>
      <span>
        <b>{device.name}</b> <span class={`tag ${tone[how]}`}>{w(`device.${how}`)}</span>
      </span>
      <span class="meta">
        {device.revoked_at
          ? w('device.since', { at: moment(device.revoked_at) })
          : device.seen_at
            ? w('device.seen', {
                at: moment(device.seen_at),
                n: queued,
                bytes: bytes(device.state.bytes),
                bad: refused,
              })
            : w('device.made', { at: moment(device.made_at) })}
      </span>
      {!device.revoked_at && last_error && <span class="meta">{last_error}</span>}
      {!device.revoked_at && (
        <div class="row">
          <Button icon="stop" onPress={end} test="end-device">
            {w('device.end')}
          </Button>
        </div>
      )}
    </div>
  )
}
