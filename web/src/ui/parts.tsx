// The few controls every screen is made of. They receive data and callbacks; none of them fetches.
import type { ComponentChildren, TargetedEvent } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { Problem } from '../api/client'
import { pick } from '../i18n/i18n'
import { Icon, type IconName } from './icons'
import { w } from './words'

export type Look = 'primary' | 'plain' | 'quiet' | 'danger'

type ButtonProps = {
  look?: Look
  icon?: IconName
  busy?: boolean
  disabled?: boolean | undefined
  type?: 'button' | 'submit'
  onPress?: (() => void) | undefined
  children: ComponentChildren
  title?: string
  pressed?: boolean
  id?: string
  test?: string
}

export function Button({
  look = 'plain',
  icon,
  busy,
  disabled,
  type = 'button',
  onPress,
  children,
  title,
  pressed,
  id,
  test,
}: ButtonProps) {
  return (
    <button
      {...(id ? { id } : {})}
      {...(test ? { 'data-test': test } : {})}
      type={type}
      class={`button ${look}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      aria-pressed={pressed}
      title={title}
      onClick={onPress}
    >
      {icon && <Icon name={icon} />}
      <span>{children}</span>
    </button>
  )
}

/** A big labelled answer: pressing it is the submit. */
export function Answer({
  icon,
  label,
  note,
  onPress,
  chosen,
  disabled,
  test,
}: {
  icon?: IconName
  label: ComponentChildren
  note?: ComponentChildren
  onPress: () => void
  chosen?: boolean
  disabled?: boolean
  test?: string
}) {
  return (
    <button
      type="button"
      class={`answer${chosen ? ' chosen' : ''}`}
      onClick={onPress}
      disabled={disabled}
      data-test={test}
    >
      {icon && <Icon name={icon} />}
      <span class="answer-text">
        <b>{label}</b>
        {note && <small>{note}</small>}
      </span>
      <Icon name="next" />
    </button>
  )
}

export type Tone = 'ok' | 'info' | 'warn' | 'danger' | 'plain'
const toneIcon: Record<Tone, IconName> = { ok: 'check', info: 'info', warn: 'warn', danger: 'stop', plain: 'info' }

export function Notice({
  tone = 'info',
  title,
  children,
  live,
}: {
  tone?: Tone
  title?: ComponentChildren
  children?: ComponentChildren
  live?: boolean
}) {
  return (
    <div class={`notice ${tone}`} role={live ? 'status' : undefined}>
      <Icon name={toneIcon[tone]} />
      <div>
        {title && <b>{title}</b>}
        {children && <div>{children}</div>}
      </div>
    </div>
  )
}

/** A refusal of the server, in the person's words: what happened, what to do, a number to read out. */
export function ProblemNote({ problem, again }: { problem: Problem | undefined; again?: () => void }) {
  const at = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (problem) at.current?.focus()
  }, [problem])
  if (!problem) return null
  return (
    <div class="notice danger" role="alert" tabIndex={-1} ref={at}>
      <Icon name="warn" />
      <div>
        <b>{pick(problem.detail)}</b>
        <p>{pick(problem.remedy)}</p>
        {problem.requestId && <p class="meta">{w('err.number', { id: problem.requestId.slice(-8) })}</p>}
        {again && (
          <Button look="quiet" onPress={again}>
            {w('do.again')}
          </Button>
        )}
      </div>
    </div>
  )
}

type FieldProps = {
  label: string
  value: string
  onInput: (value: string) => void
  hint?: string | undefined
  error?: string | undefined
  type?: 'text' | 'tel' | 'search' | 'date' | 'password'
  inputMode?: 'text' | 'numeric' | 'tel' | 'decimal'
  autoComplete?: string
  maxLength?: number
  lines?: number
  unit?: string
  name?: string
  max?: string
  disabled?: boolean
  optional?: boolean
  placeholder?: string
}

export function Field(props: FieldProps) {
  const { label, value, onInput, hint, error, lines, unit, type = 'text' } = props
  const id = useId()
  const described = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ')
  const common = {
    id,
    name: props.name,
    value,
    disabled: props.disabled,
    placeholder: props.placeholder,
    maxLength: props.maxLength,
    'aria-invalid': error ? true : undefined,
    'aria-describedby': described || undefined,
    onInput: (event: TargetedEvent<HTMLInputElement | HTMLTextAreaElement>) => onInput(event.currentTarget.value),
  }
  return (
    <div class={`field${error ? ' wrong' : ''}`}>
      <label for={id}>
        {label}
        {props.optional && <small> {w('form.optional')}</small>}
      </label>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="error" id={`${id}-error`}>
          <Icon name="warn" /> {error}
        </p>
      )}
      {lines ? (
        <textarea rows={lines} {...common} />
      ) : (
        <span class="input">
          <input
            type={type as 'text'}
            inputMode={props.inputMode}
            autoComplete={props.autoComplete as 'off'}
            max={props.max}
            {...common}
          />
          {unit && <span class="unit">{unit}</span>}
        </span>
      )}
    </div>
  )
}

export function Select<T extends string>({
  label,
  value,
  options,
  onChange,
  disabled,
}: {
  label: string
  value: T
  options: readonly { value: T; label: string }[]
  onChange: (value: T) => void
  disabled?: boolean
}) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        disabled={disabled}
        onChange={(event) => {
          const chosen = options.find((option) => option.value === event.currentTarget.value)
          if (chosen) onChange(chosen.value)
        }}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  )
}

export function Tick({
  label,
  note,
  checked,
  onChange,
  test,
}: {
  label: ComponentChildren
  note?: ComponentChildren
  checked: boolean
  onChange: (checked: boolean) => void
  test?: string
}) {
  const id = useId()
  return (
    <div class="tick">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        data-test={test}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <label for={id}>
        <b>{label}</b>
        {note && <small>{note}</small>}
      </label>
    </div>
  )
}

/** Skeleton after 300 ms; a sentence after 5 s. Known data never gives way to it. */
export function Loading({ lines = 3 }: { lines?: number }) {
  const [since, setSince] = useState<'new' | 'waiting' | 'slow'>('new')
  useEffect(() => {
    const soon = setTimeout(() => setSince('waiting'), 300)
    const slow = setTimeout(() => setSince('slow'), 5000)
    return () => {
      clearTimeout(soon)
      clearTimeout(slow)
    }
  }, [])
  return (
    <div class="loading" role="status">
      <span class="visually-hidden">{w('state.loading')}</span>
      {since !== 'new' && Array.from({ length: lines }, (_, line) => <div key={`line-${line}`} class="bone" />)}
      {since === 'slow' && <p class="meta">{w('do.retry.text')}</p>}
    </div>
  )
}

/** A native modal dialog: focus goes in, Escape closes, focus comes back. */
export function Dialog({
  title,
  onClose,
  closing = w('do.close'),
  children,
  wide,
}: {
  title: string
  onClose: () => void
  /** The word for leaving, where that is an answer. */
  closing?: string
  children: ComponentChildren
  wide?: boolean
}) {
  const at = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = at.current
    if (dialog && !dialog.open) dialog.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={at}
      class={wide ? 'wide' : undefined}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <Button look="quiet" icon="cross" onPress={onClose}>
          {closing}
        </Button>
      </div>
      {children}
    </dialog>
  )
}

/** Sets the document's title for the step on screen; never a name or a diagnosis. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · ${w('app.name')}`
  }, [title])
}
