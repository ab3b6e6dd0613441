// An expert leaves before signing: let go by the coordinator, who names a successor for the first, or by their own wish. Whoever
// reads the case sees who left and why.
import { useState } from 'preact/hooks'
import { get } from '../api/client'
import { useResource } from '../api/resource'
import type { ExpertRow, Released, ReleaseReason, Teleconsult } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { Button, Dialog, Field, ProblemNote, Select } from '../ui/parts'
import type { Act } from './panels'
import { reasons } from './states'
import { w } from './words'

type Doctor = Teleconsult['further'][number]
type Said = { reason: ReleaseReason; note: string; successor_id?: string }

/** The form of both: a coded reason, and words where the code says little. */
function Leaving({
  title,
  reasons: offered,
  successors,
  onSay,
  onClose,
}: {
  title: string
  reasons: readonly ReleaseReason[]
  /** Who may lead instead; the first is chosen unless another is. */
  successors?: readonly Pick<ExpertRow, 'practitioner_id' | 'name' | 'title'>[]
  onSay: (said: Said) => void
  onClose: () => void
}) {
  const [reason, setReason] = useState<ReleaseReason>(offered[0] ?? 'other')
  const [note, setNote] = useState('')
  const [chosen, setChosen] = useState('')
  const successor = chosen || successors?.[0]?.practitioner_id
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          onSay({ reason, note: note.trim(), ...(successors && successor ? { successor_id: successor } : {}) })
        }}
      >
        <Select
          label={w('rl.reason')}
          value={reason}
          options={offered.map((value) => ({ value, label: w(`rl.${value}`) }))}
          onChange={setReason}
        />
        <Field
          label={w('rl.note')}
          name="release_note"
          optional={reason !== 'other'}
          lines={2}
          value={note}
          onInput={setNote}
          maxLength={500}
        />
        {successors?.length === 0 && <p>{w('rl.nobody')}</p>}
        {successors && successors.length > 0 && (
          <Select
            label={w('rl.successor')}
            value={successor ?? ''}
            options={successors.map((row) => ({ value: row.practitioner_id, label: `${row.name} ${row.title}` }))}
            onChange={setChosen}
          />
        )}
        <p class="meta">{w('rl.kept')}</p>
        <Button
          look="danger"
          type="submit"
          disabled={(reason === 'other' && note.trim() === '') || successors?.length === 0}
          test="leave-go"
        >
          {title}
        </Button>
      </form>
    </Dialog>
  )
}

/** The coordinator's: each expert who has not signed may be let go. */
export function Releasing({
  one,
  unsigned,
  act,
  busy,
}: {
  one: Teleconsult
  unsigned: readonly Doctor[]
  act: Act
  busy: boolean
}) {
  const [who, setWho] = useState<Doctor>()
  const leads = who !== undefined && who.id === one.expert?.practitioner.id
  const experts = useResource(leads ? `experts ${one.id}` : undefined, (signal) =>
    get<ExpertRow[]>(`/teleconsults/${one.id}/experts`, signal),
  )
  const left = one.released.map(({ expert }) => expert.id)
  const successors = experts.value
    ?.filter((row) => row.practitioner_id !== who?.id && !left.includes(row.practitioner_id))
    // Who is in it already comes before somebody new.
    .sort((a, b) => Number(takesPart(one, b.practitioner_id)) - Number(takesPart(one, a.practitioner_id)))
  return (
    <section class="stack" data-test="releasing">
      <h2>{w('rl.title')}</h2>
      {unsigned.map((each) => (
        <div class="row" key={each.id}>
          <span class="grow">
            {each.name} {each.title}
          </span>
          <Button busy={busy} onPress={() => setWho(each)} test="release">
            {w('rl.do')}
          </Button>
        </div>
      ))}
      <ProblemNote problem={experts.problem} again={experts.refresh} />
      {who && (!leads || successors) && (
        <Leaving
          title={w('rl.do.of', { name: who.name })}
          reasons={reasons}
          {...(leads && successors ? { successors } : {})}
          onClose={() => setWho(undefined)}
          onSay={(said) => {
            setWho(undefined)
            act(`experts/${who.id}/release`, said)
          }}
        />
      )}
    </section>
  )
}

const takesPart = (one: Teleconsult, id: string) => one.further.some((each) => each.id === id)

/** The expert's own. */
export function Withdrawing({ busy, onSay }: { busy: boolean; onSay: (said: Said) => void }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button look="quiet" busy={busy} onPress={() => setOpen(true)} test="withdraw">
        {w('rl.leave')}
      </Button>
      {open && (
        <Leaving
          title={w('rl.leave')}
          reasons={reasons.slice(1)}
          onClose={() => setOpen(false)}
          onSay={(said) => {
            setOpen(false)
            onSay(said)
          }}
        />
      )}
    </>
  )
}

/** Who left, for whoever reads the case. */
export function Left({ released }: { released: readonly Released[] }) {
  return (
    <>
      {released.map((each) => (
        <div key={each.expert.id} class="meta" data-test="released">
          {w(each.withdrew ? 'rl.withdrew' : 'rl.released', {
            name: each.expert.name,
            why: [w(`rl.${each.reason}`), each.note].filter(Boolean).join('：'),
            by: each.by,
            at: moment(each.at),
          })}
        </div>
      ))}
    </>
  )
}
