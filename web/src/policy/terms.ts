// A policy's terms as people read and compare them: one line a term, the same for the page, the form and the difference.
import type { ListedDoctor, PolicyTerms, Predicate } from '../api/types/policy'
import { day, isoDay } from '../i18n/format'
import { w } from './words'

export const lists = [
  'icd10_cats',
  'departments',
  'regions',
  'special_groups',
  'schemes',
  'scenarios',
] as const satisfies readonly (keyof Predicate)[]
export type ListName = (typeof lists)[number]

const hour = 3_600_000

/** The last day of the period; the end itself is exclusive. */
export const lastDay = (terms: PolicyTerms) => new Date(Date.parse(terms.effective_to) - hour)

/** Midnight of the day in Shanghai, or of the day after. */
export function midnight(date: string, after = 0): string {
  const at = new Date(Date.parse(`${date}T00:00:00+08:00`) + after * 24 * hour)
  return `${isoDay(at)}T00:00:00+08:00`
}

/** A, B、C → three words. */
export const words = (text: string) =>
  text
    .split(/[,，、;；\s]+/)
    .map((one) => one.trim())
    .filter(Boolean)

/** One term; without a limit it is said only by its name. */
export type Line = { key: string; name: string; text: string; limits: boolean }

/** Words whose keys are made of the server's own. */
const say = (key: string) => w(key as 'f.title')

/** Terms whose name on the form is too long for a page. */
const short = { icd10_cats: 1, regions: 1, schemes: 1, age_lt: 1, guardian_under: 1, min_years: 1, min_online_years: 1 }

/** Doctors are named by their ids; of whom nothing is known the id is shown. */
export function lines(terms: PolicyTerms, doctors: readonly ListedDoctor[] = []): Line[] {
  const { authority, physician, predicate } = terms
  const line = (key: string, text: string, limits = true): Line => ({
    key,
    name: say(`${key in short ? 't' : 'f'}.${key}`),
    text,
    limits,
  })
  const stated = (key: string, list: string[] | undefined) =>
    list?.length ? line(key, list.join('、')) : line(key, w('f.any'), false)
  return [
    line('title', terms.title),
    line('authority', `${authority.name}（${say(`level.${authority.level}`)}）`),
    line('doc_no', authority.doc_no),
    line('file', authority.doc_sha256 ? authority.doc_sha256.slice(0, 16) : '—'),
    line(
      'period',
      `${day(terms.effective_from)} ${isoDay(terms.effective_from).slice(0, 4)} – ${day(lastDay(terms))} ${isoDay(lastDay(terms)).slice(0, 4)}`,
    ),
    ...lists.map((name) => stated(name, predicate[name])),
    predicate.age_lt === undefined
      ? line('age_lt', w('f.any'), false)
      : line('age_lt', w('t.under', { n: predicate.age_lt })),
    line('min_title', say(`title.${physician.min_title}`)),
    line('min_years', w('t.n_years', { n: physician.min_years })),
    line('min_online_years', w('t.n_years', { n: physician.min_online_years })),
    ...(physician.whitelist ? [line('whitelist', listed(terms.doctors ?? [], doctors))] : []),
    line('guardian_under', terms.guardian_under ? w('t.under', { n: terms.guardian_under }) : w('t.never')),
    line('max_severity', say(`sev.${terms.max_severity}`)),
    line('rx_scope', scope(terms)),
  ]
}

const listed = (ids: readonly string[], doctors: readonly ListedDoctor[]) =>
  ids.map((id) => doctors.find((one) => one.id === id)?.name ?? id).join('、') || w('t.nobody')

function scope({ rx_scope, drugs }: PolicyTerms): string {
  const name = rx_scope.startsWith('list:') ? w('rx.list') : say(`rx.${rx_scope}`)
  return drugs?.length ? `${name}: ${drugs.join('、')}` : name
}

export type Difference = { key: string; name: string; was: string; now: string }

/** The terms that two versions say differently. */
export function difference(was: PolicyTerms, now: PolicyTerms, doctors: readonly ListedDoctor[] = []): Difference[] {
  const before = new Map(lines(was, doctors).map((line) => [line.key, line]))
  const after = lines(now, doctors)
  const gone = [...before.values()].filter(({ key }) => !after.some((line) => line.key === key))
  return [
    ...after
      .filter(({ key, text }) => before.get(key)?.text !== text)
      .map(({ key, name, text }) => ({ key, name, was: before.get(key)?.text ?? '—', now: text })),
    ...gone.map(({ key, name, text }) => ({ key, name, was: text, now: '—' })),
  ]
}

/** The version before it, the one that people compare with. */
export const older = <P extends { terms: PolicyTerms }>(all: readonly P[], one: P): P | undefined =>
  all
    .filter(({ terms }) => terms.id === one.terms.id && terms.version < one.terms.version)
    .sort((a, b) => b.terms.version - a.terms.version)[0]

/** Facts of a decision as rows: patient.region, 420102. Empty lists and nulls say nothing and are left out. */
export function factRows(facts: unknown, path = ''): { name: string; value: string }[] {
  if (facts === null || facts === undefined || facts === '') return []
  if (Array.isArray(facts)) {
    if (facts.every((one) => typeof one !== 'object'))
      return facts.length ? [{ name: path, value: facts.join('、') }] : []
    return facts.flatMap((one, at) => factRows(one, `${path}[${at + 1}]`))
  }
  if (typeof facts === 'object')
    return Object.entries(facts).flatMap(([name, value]) => factRows(value, path ? `${path}.${name}` : name))
  return [{ name: path, value: String(facts) }]
}
