// What may be done with the images on the screen, in groups with words; and who presents them.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { composing } from '../ui/keys'
import { Button } from '../ui/parts'
import { type Tool, tools } from './marks'
import type { ShareView } from './share'
import type { Voi } from './sight'
import type { Preset } from './study'
import { w } from './words'

export type Moving = 'scroll' | 'window' | 'zoom' | 'pan' | 'point'
export type Mode = Moving | Tool
const moving: readonly Moving[] = ['scroll', 'window', 'zoom', 'pan', 'point']
export const presetKeys: readonly Preset[] = ['default', 'lung', 'soft', 'bone', 'brain', 'liver']

export function Moves({ mode, onMode, hidden }: { mode: Mode; onMode: (mode: Mode) => void; hidden: boolean }) {
  return (
    <fieldset class="group" aria-label={w('tool.moving')} hidden={hidden}>
      {moving.map((one) => (
        <Button key={one} pressed={mode === one} onPress={() => onMode(one)} test={`tool-${one}`}>
          {w(`tool.${one}`)}
        </Button>
      ))}
    </fieldset>
  )
}

export function Measures({
  mode,
  onMode,
  onRemove,
  children,
}: {
  mode: string
  onMode: (mode: Tool) => void
  /** Takes the chosen mark away; undefined while none is chosen. */
  onRemove: (() => void) | undefined
  children?: ComponentChildren
}) {
  return (
    <fieldset class="group" aria-label={w('tool.measuring')}>
      {tools.map((one) => (
        <Button key={one} pressed={mode === one} onPress={() => onMode(one)} test={`tool-${one}`}>
          {w(`tool.${one}`)}
        </Button>
      ))}
      {children}
      {onRemove && (
        <Button look="quiet" onPress={onRemove} test="remove-mark">
          {w('mark.remove')}
        </Button>
      )}
    </fieldset>
  )
}

export function Windows({
  modality,
  voi,
  onPreset,
  onVoi,
  hidden,
  children,
}: {
  modality: string
  voi: Voi | undefined
  onPreset: (name: Preset) => void
  onVoi: (voi: Voi) => void
  hidden: boolean
  children: ComponentChildren
}) {
  return (
    <fieldset class="group" aria-label={w('tool.windows')} hidden={hidden}>
      {(modality === 'CT' ? presetKeys : (['default'] as const)).map((name) => (
        <Button key={name} look="quiet" onPress={() => onPreset(name)} test={`preset-${name}`}>
          {w(`win.${name}`)}
        </Button>
      ))}
      {voi && (
        <>
          <Numbered
            label={w('tool.width')}
            value={voi.width}
            onTake={(width) => width >= 1 && onVoi({ ...voi, width })}
            test="width"
          />
          <Numbered
            label={w('tool.center')}
            value={voi.center}
            onTake={(center) => onVoi({ ...voi, center })}
            test="center"
          />
        </>
      )}
      {children}
    </fieldset>
  )
}

/** A number that is taken when it is done; what is being typed stays while images that arrive draw everything anew. */
function Numbered({
  label,
  value,
  onTake,
  test,
}: {
  label: string
  value: number
  onTake: (value: number) => void
  test: string
}) {
  const [typed, setTyped] = useState<string>()
  const take = (input: HTMLInputElement) => {
    setTyped(undefined)
    if (Number.isFinite(input.valueAsNumber)) onTake(input.valueAsNumber)
  }
  return (
    <label class="number">
      <span>{label}</span>
      <input
        type="number"
        value={typed ?? Math.round(value)}
        data-test={test}
        onInput={(event) => setTyped(event.currentTarget.value)}
        onBlur={() => setTyped(undefined)}
        onChange={(event) => take(event.currentTarget)}
        onKeyDown={(event) => {
          // What was typed for the series before and is typed again is no change to the browser.
          if (event.key === 'Enter' && !composing(event)) take(event.currentTarget)
        }}
      />
    </label>
  )
}

export function Leading({
  share,
  onFollow,
  onLead,
  onRelease,
}: {
  share: ShareView
  onFollow: (on: boolean) => void
  onLead: () => void
  onRelease: () => void
}) {
  return (
    <div class="group">
      <span class={`tag ${share.leading ? 'ok' : share.leader ? 'info' : ''}`} role="status" data-test="leader">
        {share.leading ? w('lead.me') : share.leader ? w('lead.other', { name: share.leader.name }) : w('lead.none')}
      </span>
      {share.leader && !share.leading && (
        <Button pressed={share.following} onPress={() => onFollow(!share.following)} test="follow">
          {share.following ? w('follow.is') : w('follow.on')}
        </Button>
      )}
      <Button look={share.leading ? 'plain' : 'primary'} onPress={share.leading ? onRelease : onLead} test="lead">
        {share.leading ? w('lead.release') : w('lead.take')}
      </Button>
    </div>
  )
}
