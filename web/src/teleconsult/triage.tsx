// The coordinator takes a request on, as it was asked for or put elsewhere with a reason.
import { useState } from 'preact/hooks'
import { get } from '../api/client'
import { useResource } from '../api/resource'
import type { Institution } from '../api/types/common'
import type { Teleconsult, TeleconsultKind, Urgency } from '../api/types/teleconsult'
import { Button, Dialog, Field, ProblemNote, Select } from '../ui/parts'
import type { Act } from './panels'
import { consultKinds, urgencies } from './request'
import { w } from './words'

export function Triage({ one, act, busy }: { one: Teleconsult; act: Act; busy: boolean }) {
  const [open, setOpen] = useState(false)
  const { department, urgency, kind } = one
  return (
    <>
      {one.state === 'submitted' && (
        <Button busy={busy} onPress={() => act('triage', { department, urgency, kind })} test="triage">
          {w('b.triage')}
        </Button>
      )}
      <Button busy={busy} onPress={() => setOpen(true)} test="retriage">
        {w('tr.change')}
      </Button>
      {open && (
        <Changing
          one={one}
          onClose={() => setOpen(false)}
          onSay={(body) => {
            setOpen(false)
            act('triage', body)
          }}
        />
      )}
    </>
  )
}

type Triaging = { department: string; urgency: Urgency; kind: TeleconsultKind; reason: string }

function Changing({ one, onSay, onClose }: { one: Teleconsult; onSay: (body: Triaging) => void; onClose: () => void }) {
  const [department, setDepartment] = useState(one.department)
  const [urgency, setUrgency] = useState(one.urgency)
  const [kind, setKind] = useState(one.kind)
  const [reason, setReason] = useState('')
  const places = useResource('institutions', (signal) => get<Institution[]>('/institutions', signal))
  const own = places.value?.find(({ id }) => id === one.invited.id)?.departments ?? []
  const changed = department !== one.department || urgency !== one.urgency || kind !== one.kind
  return (
    <Dialog title={w('tr.change')} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          onSay({ department, urgency, kind, reason: reason.trim() })
        }}
      >
        <ProblemNote problem={places.problem} again={places.refresh} />
        <Select
          label={w('f.department')}
          value={department}
          options={[...new Set([one.department, ...own])].map((value) => ({ value, label: value }))}
          onChange={setDepartment}
        />
        <Select
          label={w('f.urgency')}
          value={urgency}
          options={urgencies.map((value) => ({ value, label: w(`urgency.${value}`) }))}
          onChange={setUrgency}
        />
        <Select
          label={w('f.kind')}
          value={kind}
          options={consultKinds.map((value) => ({ value, label: w(`kind.${value}`) }))}
          onChange={setKind}
        />
        {kind !== 'consult' && <p class="meta">{w('kind.joint')}</p>}
        <Field label={w('tr.why')} name="triage_reason" lines={2} value={reason} onInput={setReason} maxLength={500} />
        <p class="meta">{w('tr.told')}</p>
        <Button look="primary" type="submit" disabled={!changed || reason.trim().length < 2} test="retriage-go">
          {w('tr.save')}
        </Button>
      </form>
    </Dialog>
  )
}
