// Hand-written answers for screens without a server. Names are those of the demo cast; values are credible ones.
import type { Decision, Evidence } from '../src/api/types/booking'
import type { Condition } from '../src/api/types/common'
import type { Me, Person } from '../src/api/types/identity'
import type { Prescription } from '../src/api/types/prescribe'
import type { DoctorRow, Slot } from '../src/api/types/schedule'
import type { Visit } from '../src/api/types/visit'
import type { Answers } from './serve'

const at = (days: number, time: string) => {
  const day = new Date(Date.now() + days * 86_400_000)
  const date = new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Shanghai' }).format(day)
  return `${date}T${time}:00+08:00`
}
export const wang: Person = {
  id: 'p-wang',
  name: '王秀英',
  relation: 'self',
  sex: 'F',
  birth_date: '1959-03-02',
  age: 67,
  id_masked: '1304**********0024',
  realname_level: 2,
  guardian_verified: false,
}
const zhao: Person = {
  id: 'p-zhao',
  name: '赵敏',
  relation: 'child',
  sex: 'F',
  birth_date: '2021-05-20',
  age: 5,
  id_masked: '1304**********0046',
  realname_level: 2,
  guardian_verified: true,
}
export const qinghe = { id: 'i-1', name: '清河市第一医院' }
export const me: Me = {
  account_id: 'a-1',
  name: '王秀英',
  kind: 'patient',
  phone_masked: '138****0021',
  roles: [{ role: 'patient', place: qinghe }],
  persons: [wang, zhao],
  session_expires: at(1, '00:00'),
}
export const conditions: Condition[] = [
  { icd10: 'I10', name: { zh: '高血压', en: 'Hypertension' }, department: '心血管内科', online: true },
  { icd10: 'E11', name: { zh: '2 型糖尿病', en: 'Type 2 diabetes' }, department: '内分泌科', online: true },
  { icd10: 'J45', name: { zh: '哮喘', en: 'Asthma' }, department: '呼吸内科', online: true },
  { icd10: 'N80', name: { zh: '子宫内膜异位症', en: 'Endometriosis' }, department: '妇科', online: false },
]
export const slots: Slot[] = [
  ['15:20', 0],
  ['15:40', 0],
  ['16:00', 0],
  ['16:20', 0],
  ['09:00', 1],
  ['09:20', 1],
  ['09:40', 1],
].map(([time, days], n) => ({
  id: `s-${n}`,
  start: at(days as number, time as string),
  end: at(days as number, time as string),
  institution: qinghe,
  department: '心血管内科',
  fee_fen: 2000,
}))
export const doctor: DoctorRow = {
  practitioner_id: 'd-zhang',
  name: '张建国',
  title: '副主任医师',
  institution: qinghe,
  department: '心血管内科',
  fee_fen: 2000,
  earliest: slots[0] as Slot,
}
export const evidence: Evidence = {
  id: 'e-1',
  person_id: 'p-wang',
  icd10: 'I10',
  dx_date: '2026-08-12',
  source: 'physical',
  institution_name: '清河县医院',
  doc_type: '门诊病历',
  verify: 'verified',
  content_type: 'image/jpeg',
  origin: 'upload',
  size: 240_000,
}
export const allowed: Decision = {
  id: 'dec-0000beef',
  stage: 'booking',
  verdict: 'ALLOW',
  reasons: [],
  ways: [],
  rule_set: 'cn-2026.11',
  facts_sha256: '5e',
  at: at(0, '10:00'),
}
export const refused: Decision = {
  ...allowed,
  verdict: 'REDIRECT_OFFLINE',
  reasons: [
    {
      rule: 'VIS-11',
      outcome: 'REDIRECT_OFFLINE',
      message: { zh: '第一次看这个病，不能在网上看。', en: 'A first visit for this illness cannot be online.' },
      remedy: {
        zh: '先到医院看一次，以后可以网上复诊。',
        en: 'See a doctor in person first; later visits can be online.',
      },
      citation: '互联网诊疗管理办法（试行）第十六条',
    },
  ],
  ways: [
    {
      kind: 'offline_site',
      title: { zh: '清河市第一医院 心血管内科门诊', en: 'Qinghe First Hospital, cardiology' },
      detail: { zh: '星期一到星期六 8:00-17:30', en: 'Monday to Saturday 8:00-17:30' },
      phone: '0319-5550100',
      address: '清河市人民路 1 号',
    },
    { kind: 'upload', title: { zh: '我有诊断资料，去上传', en: 'I have a record' }, detail: { zh: '', en: '' } },
  ],
}
export const visit: Visit = {
  id: 'v-1',
  state: 'checked_in',
  kind: 'follow_up',
  person: wang,
  doctor: { id: 'd-zhang', name: '张建国', title: '副主任医师' },
  institution: qinghe,
  phone: '0319-5550100',
  department: '心血管内科',
  start: slots[0]?.start ?? '',
  end: slots[0]?.end ?? '',
  fee_fen: 2000,
  icd10: 'I10',
  complaint: '头晕 3 天',
  decision: allowed,
  line: { ahead: 2, minutes_low: 10, minutes_high: 15 },
  prescriptions: [],
  record_signed: false,
  room_locked: false,
  recording_refused: false,
  version: 1,
}
export const prescription: Prescription = {
  id: 'rx-1',
  no: 'QH20261122-0007',
  version: 1,
  state: 'approved',
  type: 'long',
  person: wang,
  doctor: visit.doctor,
  institution: qinghe,
  visit_id: 'v-1',
  diagnosis: ['I10'],
  items: [
    {
      line: 1,
      ingredient: 'amlodipine',
      name: { zh: '氨氯地平片 5 mg', en: 'Amlodipine 5 mg' },
      route: 'po',
      dose: '5',
      unit: 'mg',
      per_day: 1,
      days: 28,
      quantity: '28 片',
      provenance: 'catalogue_pick',
    },
    {
      line: 2,
      ingredient: 'valsartan',
      name: { zh: '缬沙坦胶囊 80 mg', en: 'Valsartan 80 mg' },
      route: 'po',
      dose: '80',
      unit: 'mg',
      per_day: 1,
      days: 28,
      quantity: '28 粒',
      provenance: 'catalogue_pick',
    },
  ],
  check: {
    decision: 'info',
    state: 'done',
    knowledge: '2026.11',
    alerts: [
      {
        key: 'k1',
        type: 'renal',
        about: ['valsartan'],
        severity: 'moderate',
        tier: 'passive',
        text: { zh: '肾功能减退（eGFR 58），用缬沙坦要查血钾。', en: 'eGFR 58: check potassium with valsartan.' },
        remedy: { zh: '2 周内查血钾和肌酐。', en: 'Potassium and creatinine within 2 weeks.' },
        evidence: [],
      },
    ],
    reasons: [],
  },
  overrides: [],
  sha256: '9f2c4a7781d3e0b25c6690aa13f7d4c8b2e5917760cd3f8a41be6d02957fa3c1',
  canonical: '{}',
  signed_at: at(0, '15:41'),
  valid_until: at(2, '23:59'),
  seconds: [],
  parts: [],
  evidence_code: 'ABC',
  qr_url: '/icon.svg',
}

export const patientAnswers: Answers = {
  'GET /me': me,
  'POST /auth/otp': { expires_in_s: 300, simulated: true },
  'GET /conditions': conditions,
  'GET /evidence': [evidence],
  'POST /eligibility': allowed,
  'GET /doctors': [doctor],
  'GET /doctors/d-zhang/slots': slots,
  'POST /holds': { id: 'h-1', slot: slots[0], until: at(0, '15:10') },
  'GET /waits': [],
  'GET /visits': [visit, { ...visit, id: 'v-0', state: 'concluded', start: at(-28, '15:20') }],
  'GET /visits/v-1': visit,
  'GET /teleconsults': [],
  'GET /prescriptions': [prescription],
  'GET /prescriptions/rx-1': prescription,
}
