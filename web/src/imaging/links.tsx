// Share links of a study, for its own hospital: made and shown once, counted, ended by a press.
import { useRef, useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import { moment } from '../i18n/format'
import { Button, Loading, Notice, ProblemNote, Select } from '../ui/parts'
import { w } from './words'

export type Link = {
  id: string
  study_uid: string
  made_at: string
  expires_at: string
  uses: number
  most_uses: number
  revoked_at?: string
  /** Only in the answer that makes the link. */
  secret?: string
}

export type LinkState = 'lives' | 'revoked' | 'lapsed' | 'used'

export function stateOf(link: Link, now: Date): LinkState {
  if (link.revoked_at) return 'revoked'
  if (new Date(link.expires_at) <= now) return 'lapsed'
  return link.uses >= link.most_uses ? 'used' : 'lives'
}

/** The secret stands behind #: it goes to no server, no log and no Referer. */
export const addressOf = (secret: string): string => `${location.origin}/shared#${secret}`

const hours = ['24', '72', '168'] as const
const times = ['1', '5', '20'] as const

export function Links({ study }: { study: string }) {
  const at = `/imaging/studies/${study}/links`
  const found = useResource(`links ${study}`, (signal) => get<Link[]>(at, signal))
  const deed = useDeed()
  const [life, setLife] = useState<(typeof hours)[number]>('24')
  const [uses, setUses] = useState<(typeof times)[number]>('5')
  const [fresh, setFresh] = useState('')
  const make = () =>
    void deed.run(async () => {
      const made = await post<Link>(at, { hours: Number(life), uses: Number(uses) })
      setFresh(addressOf(made.secret ?? ''))
      found.refresh()
    })
  const revoke = (link: Link) =>
    void deed.run(async () => {
      await post<Link>(`/imaging/links/${link.id}/revoke`)
      setFresh('')
      found.refresh()
    })
  return (
    <div class="stack" data-test="links">
      <p class="meta">{w('link.text')}</p>
      <ProblemNote problem={deed.problem ?? found.problem} />
      <div class="two">
        <Select
          label={w('link.life')}
          value={life}
          options={hours.map((value) => ({ value, label: w('link.days', { n: Number(value) / 24 }) }))}
          onChange={setLife}
        />
        <Select
          label={w('link.uses')}
          value={uses}
          options={times.map((value) => ({ value, label: w('link.times', { n: value }) }))}
          onChange={setUses}
        />
      </div>
      <div class="row">
        <Button look="primary" busy={deed.busy} onPress={make} test="make-link">
          {w('link.make')}
        </Button>
      </div>
      {fresh && <Fresh address={fresh} />}
      <h3>{w('link.all')}</h3>
      {found.loading && !found.value && <Loading />}
      {found.value?.length === 0 && <p class="meta">{w('link.none')}</p>}
      <ul class="plain stack">
        {found.value?.map((link) => {
          const state = stateOf(link, new Date())
          return (
            <li key={link.id} class="card" data-test="link" data-state={state}>
              <div class="top">
                <span>{w('link.opened', { n: link.uses, m: link.most_uses })}</span>
                <span class={`tag ${state === 'lives' ? 'ok' : ''}`}>{w(`link.${state}`)}</span>
              </div>
              <span class="meta">{w('link.span', { from: moment(link.made_at), to: moment(link.expires_at) })}</span>
              {state === 'lives' && (
                <div class="row">
                  <Button look="danger" busy={deed.busy} onPress={() => revoke(link)} test="revoke-link">
                    {w('link.revoke')}
                  </Button>
                </div>
              )}
            </li>
          )
        })}
      </ul>
    </div>
  )
}

/** The address of a new link, shown this once. */
function Fresh({ address }: { address: string }) {
  const field = useRef<HTMLInputElement>(null)
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    field.current?.select()
    try {
      await navigator.clipboard.writeText(address)
      setCopied(true)
    } catch {
      setCopied(false) // not allowed here: the address stands selected, to be copied by the keyboard
    }
  }
  return (
    <div data-test="fresh-link">
      <Notice tone="warn" title={w('link.once')}>
        <div class="field">
          <label for="fresh-link">{w('link.address')}</label>
          <span class="input">
            <input id="fresh-link" ref={field} class="mono" readOnly value={address} autoComplete="off" />
          </span>
        </div>
        <div class="row">
          <Button onPress={() => void copy()} test="copy-link">
            {w('link.copy')}
          </Button>
          <span role="status">{copied && w('link.copied')}</span>
        </div>
      </Notice>
    </div>
  )
}
