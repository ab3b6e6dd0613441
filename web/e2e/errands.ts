// What people do off stage, over the plain API: the journeys show it elsewhere on screen.
import assert from 'node:assert/strict'
import type { Someone } from './browser'
import type { House } from './house'
import type { Person } from './people'

// A sheet of paper, 1x1, white: what is on it does not matter to the platform, a person compares it.
const paper = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8//8/AwAI/AL+X1p9NwAAAABJRU5ErkJggg==',
  'base64',
)

export const monthsAgo = (months: number) => new Date(Date.now() - months * 30 * 86_400_000).toISOString().slice(0, 10)

/** A photo of an outpatient record, for the screens where somebody reads it. */
export async function sheet({ context }: Someone, name: string): Promise<Buffer> {
  const page = await context.newPage()
  await page.setContent(`<body style="font: 16px/2 serif; margin: 24px; width: 420px"><h2>永宁县人民医院 门诊病历</h2>
    <p>姓名 ${name}　性别 女　科室 心血管内科　日期 ${monthsAgo(3)}</p>
    <p>主诉：头晕反复 2 年。</p><p>查体：血压 158/96 mmHg，心率 78 次/分，律齐。</p>
    <p>诊断：原发性高血压（I10.x00）</p><p>处理：氨氯地平 5 mg 每日 1 次，低盐饮食，监测血压，定期复诊。</p>
    <p style="text-align: right">医师 赵志远</p>`)
  const photo = await page.locator('body').screenshot()
  await page.close()
  return photo
}

/** One call of a person's program, which must be answered well. */
export async function ask<T>(
  house: House,
  person: Person,
  method: string,
  path: string,
  body?: object | FormData,
): Promise<T> {
  const { status, body: answer } = await house.call(person.session, method, `/api/v1${path}`, body)
  assert.ok(status < 300, `${method} ${path} answered ${status} ${JSON.stringify(answer)}`)
  return answer as T
}

/** Hands in a record of hypertension that the coordinator checks. Returns the person's id. */
export async function proven(house: House, patient: Person, coordinator: Person): Promise<string> {
  const me = await ask<{ persons: { id: string }[] }>(house, patient, 'GET', '/me')
  const person_id = me.persons[0]?.id ?? ''
  const diagnosis = { icd10: 'I10.x00', dx_date: monthsAgo(3) }
  const form = new FormData()
  const fields = { person_id, ...diagnosis, institution_name: '清河市第一医院', doc_type: '门诊病历' }
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  form.set('file', new Blob([paper], { type: 'image/png' }), 'paper.png')
  const evidence = await ask<{ id: string }>(house, patient, 'POST', '/evidence', form)
  const check = { result: 'verified', ...diagnosis, note: '' }
  await ask(house, coordinator, 'POST', `/evidence/${evidence.id}/verify`, check)
  return person_id
}

/** Books a slot for a follow-up of hypertension. Returns the visit's id. */
export async function bookSlot(house: House, patient: Person, person_id: string, slot_id: string): Promise<string> {
  const visit = await ask<{ id: string }>(house, patient, 'POST', '/visits', {
    person_id,
    slot_id,
    kind: 'follow_up',
    icd10: 'I10.x00',
    complaint: '续方',
    red_flags: [],
    severity: 'mild',
    intends_rx: true,
    consents: { internet_care: true, sensitive_pi: true },
  })
  return visit.id
}

/** Books the doctor's earliest time for a follow-up of hypertension, evidence checked. Returns the visit's id. */
export async function book(house: House, patient: Person, coordinator: Person): Promise<string> {
  const person_id = await proven(house, patient, coordinator)
  const doctors = await ask<{ name: string; earliest: { id: string } }[]>(
    house,
    patient,
    'GET',
    `/doctors?department=${encodeURIComponent('心血管内科')}`,
  )
  return bookSlot(house, patient, person_id, doctors.find(({ name }) => name === '张建国')?.earliest.id ?? '')
}

export async function checkIn(house: House, patient: Person, visit: string): Promise<void> {
  const { status } = await house.call(patient.session, 'POST', `/api/v1/visits/${visit}/check-in`, {
    device: { microphone: true, camera: true, speaker: true },
    network: { rtt_ms: 20, path: 'udp' },
  })
  assert.equal(status, 200)
}

/** Brings a patient's browser to the doctors of cardiology with everything answered before, and to one doctor's times. */
export async function toTimes({ page }: Someone, person: string, doctor?: string): Promise<void> {
  const draft = {
    person,
    flags: [],
    kind: 'follow_up',
    condition: { icd10: 'I10', name: { zh: '高血压', en: 'Hypertension' }, department: '心血管内科', online: true },
    proof: 'given',
    complaint: '续方',
    severity: 'mild',
    consents: { internet_care: true, sensitive_pi: true },
  }
  await page.evaluate((given) => sessionStorage.setItem('yz.draft', JSON.stringify(given)), draft)
  await page.goto('/book/answer')
  await page.click('[data-test=choose-doctor]')
  const row = page.locator('[data-test=doctor]', doctor ? { hasText: doctor } : {}).first()
  if (!doctor) return row.waitFor()
  await row.click()
  await page.waitForSelector('[data-test=earliest]')
}

/** Hands DICOM files of one study in by STOW-RS; the answer is the study's UID. */
export async function store(house: House, who: Person, files: readonly Buffer[]): Promise<string> {
  const form = files.flatMap((bytes) => [
    Buffer.from('--yz\r\nContent-Type: application/dicom\r\n\r\n'),
    bytes,
    Buffer.from('\r\n'),
  ])
  const response = await fetch(`${house.address}/dicomweb/studies`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${who.session}`,
      'Content-Type': 'multipart/related; type="application/dicom"; boundary=yz',
      Accept: 'application/dicom+json',
    },
    body: Buffer.concat([...form, Buffer.from('--yz--\r\n')]),
  })
  const text = await response.text()
  assert.equal(response.status, 200, text)
  const stored = JSON.parse(text) as { '00081190'?: { Value?: string[] } }
  return /studies\/([0-9.]+)$/.exec(stored['00081190']?.Value?.[0] ?? '')?.[1] ?? ''
}

export type Case = { id: string; studies: { study_uid: string; instances: number }[] }

/** A consult over a study of the doctor's hospital, earlier ones with it, its expert and time set. */
export async function scheduled(
  house: House,
  doctor: Person,
  coordinator: Person,
  study_uid: string,
  ...earlier: string[]
): Promise<Case> {
  const [patient] = await ask<{ id: string }[]>(house, doctor, 'POST', '/patients/search', { q: '周' })
  const request = {
    person_id: patient?.id,
    department: '放射科',
    question: '右上叶结节是什么性质？',
    summary: '58 岁男，咳嗽 3 周。',
    diagnosis: '肺结节',
    urgency: 'routine',
  }
  const { id } = await ask<Case>(house, doctor, 'POST', '/teleconsults', request)
  const at = `/teleconsults/${id}`
  const one = await ask<Case>(house, doctor, 'POST', `${at}/studies`, {
    study_uid,
    patient_confirmed: true,
  })
  for (const prior of earlier)
    await ask(house, doctor, 'POST', `${at}/studies`, { study_uid: prior, patient_confirmed: true })
  await ask(house, doctor, 'POST', `${at}/consent`, { method: 'paper', signed_by: '周大山', relation: '本人' })
  await ask(house, doctor, 'POST', `${at}/submit`, {})
  const experts = await ask<{ practitioner_id: string; name: string }[]>(house, coordinator, 'GET', `${at}/experts`)
  const practitioner_id = experts.find(({ name }) => name === '李明远')?.practitioner_id
  const times = `${at}/times?practitioner_id=${practitioner_id}`
  const [time] = await ask<{ start: string; end: string }[]>(house, coordinator, 'GET', times)
  await ask(house, coordinator, 'POST', `${at}/assign`, { practitioner_id, start: time?.start, end: time?.end })
  return one
}

/** A link that opens a study to whoever has it. */
export async function linkTo(house: House, doctor: Person, study: string): Promise<string> {
  const { secret } = await ask<{ secret: string }>(house, doctor, 'POST', `/imaging/studies/${study}/links`, {
    hours: 24,
    uses: 5,
  })
  return `/shared#${secret}`
}
