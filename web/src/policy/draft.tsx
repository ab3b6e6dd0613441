// Drafting a policy: three questions (by what leave, about whom, on what terms). Saving makes a version that never changes.
import { useState } from 'preact/hooks'
import { call, get, post, query } from '../api/client'
import { useDeed } from '../api/resource'
import type { ListedDoctor, Policy, PolicyFile, PolicyTerms } from '../api/types/policy'
import { isoDay } from '../i18n/format'
import { Find } from '../ui/find'
import { Icon } from '../ui/icons'
import { Button, Field, ProblemNote, Select, Tick, useTitle } from '../ui/parts'
import { type ListName, lastDay, lists, midnight, words } from './terms'
import { w } from './words'

type Form = Record<ListName, string> & {
  id: string
  title: string
  level: 'national' | 'province' | 'city'
  authority: string
  docNo: string
  docHash: string
  diseaseOnly: boolean
  from: string
  to: string
  ageLt: string
  minTitle: '0' | '1' | '2' | '3' | '4'
  minYears: string
  minOnline: string
  whitelist: boolean
  doctors: readonly ListedDoctor[]
  guardianUnder: string
  maxSeverity: 'mild' | 'moderate' | 'severe' | 'any'
  rxScope: 'none' | 'symptomatic' | 'list' | 'all'
  drugs: string
}

const empty: Form = {
  id: '',
  title: '',
  level: 'province',
  authority: '',
  docNo: '',
  docHash: '',
  diseaseOnly: false,
  from: isoDay(new Date()),
  to: '',
  icd10_cats: '',
  departments: '',
  regions: '',
  special_groups: '',
  schemes: '',
  scenarios: '',
  ageLt: '',
  minTitle: '2',
  minYears: '3',
  minOnline: '0',
  whitelist: false,
  doctors: [],
  guardianUnder: '18',
  maxSeverity: 'mild',
  rxScope: 'none',
  drugs: '',
}

function formOf({ terms, doctors }: Policy): Form {
  const { authority, physician, predicate } = terms
  const text = (list: string[] | undefined) => (list ?? []).join('、')
  return {
    id: terms.id,
    title: terms.title,
    level: authority.level as Form['level'],
    authority: authority.name,
    docNo: authority.doc_no,
    docHash: authority.doc_sha256 ?? '',
    diseaseOnly: authority.disease_only ?? false,
    from: isoDay(terms.effective_from),
    to: isoDay(lastDay(terms)),
    icd10_cats: text(predicate.icd10_cats),
    departments: text(predicate.departments),
    regions: text(predicate.regions),
    special_groups: text(predicate.special_groups),
    schemes: text(predicate.schemes),
    scenarios: text(predicate.scenarios),
    ageLt: predicate.age_lt === undefined ? '' : String(predicate.age_lt),
    minTitle: String(physician.min_title) as Form['minTitle'],
    minYears: String(physician.min_years),
    minOnline: String(physician.min_online_years),
    whitelist: physician.whitelist,
    doctors,
    guardianUnder: String(terms.guardian_under),
    maxSeverity: terms.max_severity as Form['maxSeverity'],
    rxScope: terms.rx_scope.split(':')[0] as Form['rxScope'],
    drugs: text(terms.drugs),
  }
}

const atc = /^[A-Z](\d{2}([A-Z]([A-Z](\d{2})?)?)?)?$/
const limited = ({ rxScope }: Form) => rxScope === 'symptomatic' || rxScope === 'list'
const whole = /^\d{1,3}$/
const date = /^\d{4}-\d{2}-\d{2}$/

/** What is not filled in, or can't be read. */
export function wrongIn(form: Form): (keyof Form)[] {
  const bad: (keyof Form)[] = []
  if (!/^[A-Za-z0-9-]{2,40}$/.test(form.id)) bad.push('id')
  if (form.title.trim() === '') bad.push('title')
  if (form.authority.trim() === '') bad.push('authority')
  if (!date.test(form.from)) bad.push('from')
  if (!date.test(form.to) || form.to < form.from) bad.push('to')
  if (!words(form.icd10_cats).every((one) => /^[A-Z]\d{2}$/.test(one))) bad.push('icd10_cats')
  if (!words(form.regions).every((one) => /^(\d{2}){1,3}$/.test(one))) bad.push('regions')
  if (form.ageLt !== '' && !whole.test(form.ageLt)) bad.push('ageLt')
  for (const name of ['minYears', 'minOnline', 'guardianUnder'] as const) if (!whole.test(form[name])) bad.push(name)
  const drugs = words(form.drugs)
  if (limited(form) && (drugs.length === 0 || !drugs.every((one) => atc.test(one)))) bad.push('drugs')
  return bad
}

function termsOf(form: Form): PolicyTerms {
  const stated = Object.fromEntries(
    lists.map((name) => [name, words(form[name])] as const).filter(([, list]) => list.length > 0),
  )
  return {
    id: form.id,
    version: 0,
    title: form.title.trim(),
    authority: {
      level: form.level,
      name: form.authority.trim(),
      doc_no: form.docNo.trim(),
      ...(form.docHash ? { doc_sha256: form.docHash } : {}),
      ...(form.diseaseOnly ? { disease_only: true } : {}),
    },
    effective_from: midnight(form.from),
    effective_to: midnight(form.to, 1),
    predicate: { ...stated, ...(form.ageLt ? { age_lt: Number(form.ageLt) } : {}) },
    physician: {
      min_title: Number(form.minTitle),
      min_years: Number(form.minYears),
      min_online_years: Number(form.minOnline),
      whitelist: form.whitelist,
    },
    guardian_under: Number(form.guardianUnder),
    max_severity: form.maxSeverity,
    rx_scope: form.rxScope === 'list' ? `list:${form.id}` : form.rxScope,
    ...(limited(form) ? { drugs: words(form.drugs) } : {}),
    ...(form.whitelist ? { doctors: form.doctors.map(({ id }) => id) } : {}),
  }
}

async function keepFile(file: File): Promise<PolicyFile> {
  const form = new FormData()
  form.set('file', file)
  return call<PolicyFile>('POST', '/policies/files', { form })
}

const fieldWords = {
  id: 'f.id',
  title: 'f.title',
  authority: 'f.authority',
  docNo: 'f.doc_no',
  from: 'f.from',
  to: 'f.to',
  ageLt: 'f.age_lt',
  minYears: 'f.min_years',
  minOnline: 'f.min_online_years',
  guardianUnder: 'f.guardian_under',
  drugs: 'f.drugs',
} as const

/** Who meets what the policy asks of its doctors; others may stand on the list, and see nobody under it. */
const meets = (form: Form, one: ListedDoctor) =>
  one.title_rank >= Number(form.minTitle) &&
  one.years >= Number(form.minYears) &&
  one.online_years >= Number(form.minOnline)

function DoctorList({ form, onChange }: { form: Form; onChange: (doctors: ListedDoctor[]) => void }) {
  const note = (one: ListedDoctor) =>
    w('f.doctors.note', { title: one.title, years: one.years, online: one.online_years }) +
    (meets(form, one) ? '' : ` · ${w('f.doctors.below')}`)
  return (
    <section class="stack" data-test="whitelist-doctors">
      <h2>{w('f.doctors')}</h2>
      <p class="hint">{w('f.doctors.hint')}</p>
      <ul class="tight">
        {form.doctors.map((one) => (
          <li key={one.id}>
            <span class="chip">
              {one.name}
              <button
                type="button"
                aria-label={w('f.doctors.off', { name: one.name })}
                onClick={() => onChange(form.doctors.filter(({ id }) => id !== one.id))}
              >
                <Icon name="cross" />
              </button>
            </span>{' '}
            <span class="meta">{note(one)}</span>
          </li>
        ))}
      </ul>
      <Find<ListedDoctor>
        label={w('f.doctors.find')}
        ask={(name, signal) => get<ListedDoctor[]>(`/policies/doctors${query({ name })}`, signal)}
        show={(one) => ({ name: one.name, note: note(one) })}
        keyOf={(one) => one.id}
        onPick={(one) => {
          if (form.doctors.every(({ id }) => id !== one.id)) onChange([...form.doctors, one])
        }}
        test="find-doctor"
      />
    </section>
  )
}

export function DraftForm({
  from,
  onSaved,
  onBack,
}: {
  from?: Policy
  onSaved: (policy: Policy) => void
  onBack?: () => void
}) {
  const [form, setForm] = useState<Form>(from ? formOf(from) : empty)
  const [tried, setTried] = useState(false)
  const deed = useDeed()
  const keeping = useDeed()
  const title = from ? w('draft.next', { ref: from.ref }) : w('draft.title')
  useTitle(title)
  const wrong = wrongIn(form)
  const set = <K extends keyof Form>(name: K, value: Form[K]) => setForm((old) => ({ ...old, [name]: value }))
  const bad = (name: keyof Form) => (tried && wrong.includes(name) ? w('draft.need') : undefined)
  const field = (name: keyof typeof fieldWords, more: { type?: 'date'; hint?: string; numeric?: boolean } = {}) => (
    <Field
      label={w(fieldWords[name])}
      name={name}
      value={form[name]}
      onInput={(value) => set(name, value)}
      error={bad(name)}
      hint={more.hint}
      type={more.type ?? 'text'}
      {...(more.numeric ? { inputMode: 'numeric' as const } : {})}
    />
  )
  const list = (name: ListName) => (
    <Field
      key={name}
      label={w(`f.${name}`)}
      name={name}
      optional
      value={form[name]}
      onInput={(value) => set(name, value)}
      error={bad(name)}
    />
  )
  const save = () => {
    setTried(true)
    if (wrong.length > 0) return
    void deed.run(async () => onSaved(await post<Policy>('/policies', termsOf(form))))
  }
  return (
    <main class="column paper" id="content">
      <h1>{title}</h1>
      <p>{w('draft.lead')}</p>
      <ProblemNote problem={deed.problem} />
      <form
        class="stack"
        noValidate
        data-test="draft"
        onSubmit={(event) => {
          event.preventDefault()
          save()
        }}
      >
        <fieldset class="card">
          <legend>{w('draft.authority')}</legend>
          {!from && field('id', { hint: w('f.id.hint') })}
          {field('title')}
          <div class="two">
            <Select
              label={w('f.level')}
              value={form.level}
              options={(['national', 'province', 'city'] as const).map((value) => ({
                value,
                label: w(`level.${value}`),
              }))}
              onChange={(value) => set('level', value)}
            />
            {field('authority')}
            {field('docNo')}
            <div class="field">
              <label for="policy-document">{w('f.file')}</label>
              <p class="hint" id="policy-document-hint">
                {form.docHash ? w('f.file.have', { hash: form.docHash.slice(0, 16) }) : w('f.file.hint')}
              </p>
              <ProblemNote problem={keeping.problem} />
              <input
                id="policy-document"
                type="file"
                name="document"
                accept="application/pdf,image/jpeg,image/png"
                aria-describedby="policy-document-hint"
                onChange={(event) => {
                  const file = event.currentTarget.files?.[0]
                  if (file) void keeping.run(async () => set('docHash', (await keepFile(file)).sha256))
                }}
              />
            </div>
            {field('from', { type: 'date' })}
            {field('to', { type: 'date' })}
          </div>
          <Tick
            label={w('f.disease_only')}
            checked={form.diseaseOnly}
            onChange={(value) => set('diseaseOnly', value)}
          />
        </fieldset>
        <fieldset class="card">
          <legend>{w('draft.whom')}</legend>
          <p class="hint">{w('f.list.hint')}</p>
          <div class="two">
            {lists.map(list)}
            {field('ageLt', { numeric: true })}
          </div>
        </fieldset>
        <fieldset class="card">
          <legend>{w('draft.terms')}</legend>
          <div class="two">
            <Select
              label={w('f.min_title')}
              value={form.minTitle}
              options={(['0', '1', '2', '3', '4'] as const).map((value) => ({ value, label: w(`title.${value}`) }))}
              onChange={(value) => set('minTitle', value)}
            />
            {field('minYears', { numeric: true })}
            {field('minOnline', { numeric: true })}
            {field('guardianUnder', { numeric: true })}
            <Select
              label={w('f.max_severity')}
              value={form.maxSeverity}
              options={(['mild', 'moderate', 'severe', 'any'] as const).map((value) => ({
                value,
                label: w(`sev.${value}`),
              }))}
              onChange={(value) => set('maxSeverity', value)}
            />
            <Select
              label={w('f.rx_scope')}
              value={form.rxScope}
              options={(['none', 'symptomatic', 'list', 'all'] as const).map((value) => ({
                value,
                label: w(`rx.${value}`),
              }))}
              onChange={(value) => set('rxScope', value)}
            />
          </div>
          {limited(form) && field('drugs', { hint: w('f.drugs.hint') })}
          <Tick
            label={w('f.whitelist')}
            checked={form.whitelist}
            onChange={(value) => set('whitelist', value)}
            test="whitelist"
          />
          {form.whitelist && <DoctorList form={form} onChange={(doctors) => set('doctors', doctors)} />}
        </fieldset>
        {tried && wrong.length > 0 && (
          <p class="error" role="alert">
            {w('draft.wrong', { n: wrong.length })}
          </p>
        )}
        <div class="row">
          <Button look="primary" type="submit" busy={deed.busy} test="save-draft">
            {w('draft.save')}
          </Button>
          {onBack && (
            <Button look="quiet" onPress={onBack}>
              {w('end.back')}
            </Button>
          )}
        </div>
      </form>
    </main>
  )
}
