// One line as it is written: a usual use to choose from, structured fields, and the confirmation of a copy.
import type { Timing, UsualUse } from '../api/types/prescribe'
import { Icon } from '../ui/icons'
import { Button, Field, Select } from '../ui/parts'
import { w } from './desk_words'
import { choose, completeLine, confirm, edit, type Line, type Order, remove } from './order'
import { drugName, rxOften } from './patient_rx'
import { w as rx } from './words'

const timings: readonly (Timing | '')[] = ['', 'before_meal', 'with_meal', 'after_meal', 'morning', 'bedtime']
const digits = (text: string) => Number(text.replace(/\D/g, ''))

export function LineEditor({
  line,
  order,
  onEdit,
  onKeep,
}: {
  line: Line
  order: Order
  onEdit: (next: Order) => void
  onKeep: (line: Line) => void
}) {
  const at = line.line
  const set = (to: Partial<Line>) => onEdit(edit(order, at, to))
  const weekly = line.per_week !== undefined && line.per_week > 0
  return (
    <div class="rx-line" data-test="rx-line" data-line={at} data-provenance={line.provenance}>
      <div class="top">
        <b>
          {at}. {drugName(line)}
        </b>
        {line.range && <span class="meta">{w('rx.range', { low: line.range.low, high: line.range.high })}</span>}
      </div>
      {line.usual && !completeLine(line) && (
        <fieldset class="chips" aria-label={w('rx.usual')}>
          <span class="meta">{w('rx.usual')}</span>
          {line.usual.map((use) => (
            <button
              key={usualText(use)}
              type="button"
              class="button"
              data-test="usual"
              onClick={() => onEdit(choose(order, at, use))}
            >
              {usualText(use)}
            </button>
          ))}
          {line.usual.some((use) => use.source === 'S_CURATOR') && (
            <span class="meta" data-test="unsourced">
              {w('rx.usual.unsourced')}
            </span>
          )}
        </fieldset>
      )}
      <div class="numbers">
        {line.product ? (
          <Field
            label={w('rx.units')}
            name="units"
            inputMode="decimal"
            value={line.units ?? ''}
            onInput={(units) => set({ units })}
          />
        ) : (
          <Field
            label={w('rx.dose')}
            name="dose"
            inputMode="decimal"
            value={line.dose ?? ''}
            unit={line.unit ?? ''}
            onInput={(dose) => set({ dose })}
          />
        )}
        <Field
          label={w(weekly ? 'rx.perweek' : 'rx.perday')}
          name={weekly ? 'per_week' : 'per_day'}
          inputMode="numeric"
          value={String((weekly ? line.per_week : line.per_day) || '')}
          onInput={(v) => set(weekly ? { per_week: digits(v) } : { per_day: digits(v) })}
        />
        <Field
          label={w('rx.days')}
          name="days"
          inputMode="numeric"
          value={String(line.days || '')}
          onInput={(v) => set({ days: digits(v) })}
        />
        <Field
          label={w('rx.quantity')}
          name="quantity"
          value={line.quantity ?? ''}
          onInput={(quantity) => set({ quantity })}
        />
        <button
          type="button"
          class="button quiet"
          aria-label={w('rx.remove', { name: drugName(line) })}
          onClick={() => onEdit(remove(order, at))}
        >
          <Icon name="cross" />
        </button>
      </div>
      <div class="row timing">
        <Select
          label={w('rx.timing')}
          value={line.timing ?? ''}
          options={timings.map((value) => ({ value, label: value ? rx(`timing.${value}`) : w('rx.anytime') }))}
          onChange={(timing) => {
            const { timing: _, ...rest } = line
            const lines = order.lines.map((one) => (one.line === at ? rest : one))
            onEdit(edit({ ...order, lines }, at, timing ? { timing } : {}))
          }}
        />
        {line.provenance === 'copied' ? (
          <Button icon="check" onPress={() => onEdit(confirm(order, at))} test="confirm-line">
            {w('rx.confirm', { name: drugName(line) })}
          </Button>
        ) : (
          completeLine(line) && (
            <button type="button" class="button quiet" data-test="keep" onClick={() => onKeep(line)}>
              {w('rx.keep')}
            </button>
          )
        )}
      </div>
      {line.provenance === 'copied' && <span class="meta">{w('rx.copied')}</span>}
    </div>
  )
}

function usualText(use: UsualUse): string {
  const amount = use.units ? w('rx.unit', { n: use.units }) : `${use.dose ?? ''} ${use.unit ?? ''}`
  return `${amount}，${rxOften(use)}`
}
