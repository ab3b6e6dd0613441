// Staff screens in states made by hand: fit, targets, axe; light desk and dark reading room, in both languages.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { EvidenceCase } from '../src/api/types/booking'
import type { Me } from '../src/api/types/identity'
import type { CountersignMatter, Overdue, Teleconsult } from '../src/api/types/teleconsult'
import type { EndingRecording } from '../src/api/types/visit'
import { desk, launch, shot, someone } from './browser'
import { evidence, prescription, qinghe, visit, wang } from './cast'
import { overflow, tooSmall, violations } from './judge'
import { type Answers, refuse, serve } from './serve'

const staff = (role: Me['roles'][number]['role'], name: string, practitioner_id: string): Me => ({
  account_id: `a-${role}`,
  name,
  kind: 'staff',
  title: '',
  practitioner_id,
  roles: [{ role, place: qinghe }],
  persons: [],
  session_expires: '2027-01-01T00:00:00+08:00',
})
const party = (id: string, name: string) => ({
  practitioner: { id, name, title: '主任医师' },
  institution: qinghe,
})
const consult: Teleconsult = {
  id: 't-1',
  state: 'submitted',
  kind: 'consult',
  urgency: 'urgent',
  department: '呼吸内科',
  question: '右上叶结节是什么性质？',
  summary: '58 岁，体检 CT 发现右上叶结节 8 mm。',
  diagnosis: '肺结节',
  labs: '',
  contact: '027-5550 6600',
  further: [],
  released: [],
  opinions: [],
  addenda: [],
  paused: false,
  live: true,
  missing: [],
  critical: [],
  person: { id: 'p-zhou', name: '周大山', sex: 'M', age: 58 },
  inviter: party('d-zhao', '赵志远'),
  invited: qinghe,
  studies: [],
  patient_invited: false,
  liability: 'inviter',
  created_at: '2026-11-22T08:00:00+08:00',
  countersigns: [],
}
const answering: Partial<Teleconsult> = {
  state: 'in_progress',
  live: false,
  expert: party('d-li', '李明远'),
  further: [{ id: 'd-he', name: '何晓', title: '主治医师' }],
  released: [
    {
      expert: { id: 'd-gu', name: '顾平', title: '主治医师' },
      reason: 'unwell',
      by: '顾平',
      withdrew: true,
      at: '2026-11-22T08:30:00+08:00',
    },
  ],
}
const queued: EvidenceCase = { ...evidence, verify: 'pending', person: wang, waiting_s: 300 }
const chart = {
  person: { ...wang, weight_kg: 61.5 },
  allergies: [
    { substance: 'ag_penicillin', name: { zh: '青霉素类', en: 'Penicillins' }, severity: 'severe', reaction: '皮疹' },
  ],
  conditions: [{ icd10: 'I10', name: '原发性高血压' }],
  medicines: [
    {
      ingredient: 'amlodipine',
      name: { zh: '氨氯地平', en: 'Amlodipine' },
      daily_dose: '5',
      unit: 'mg',
      remaining_days: 3,
      source: 'online',
    },
  ],
  observations: [148, 145, 150, 139, 142].map((value, index) => ({
    kind: 'sbp',
    name: { zh: '收缩压', en: 'Systolic' },
    value,
    unit: 'mmHg',
    at: `2026-11-${String(index * 4 + 2).padStart(2, '0')}T08:00:00+08:00`,
    low: 90,
    high: 130,
  })),
  visits: [],
  prescriptions: [],
  evidence: [evidence],
  decisions: [],
}
const record = {
  chief_complaint: '头晕 3 天',
  present_illness: '',
  assessment: '血压控制欠佳',
  plan: '继续服药',
  diagnoses: [{ icd10: 'I10.x00', name: '特发性高血压' }],
  version: 2,
  sha256: 'x',
  canonical: '{}',
}
const ending = (id: string, more: Partial<EndingRecording>): EndingRecording => ({
  id,
  kind: 'visit',
  institution: '清河市第一医院',
  doctor: '张建国',
  recorded_at: '2023-11-12T09:30:00+08:00',
  keep_until: '2026-11-12',
  state: 'due',
  mine: false,
  parts: 412,
  bytes: 151_000_000,
  ...more,
})
const doctor = { 'GET /me': staff('doctor', '张建国', 'd-zhang') }
const waiting = { ...visit, waiting_s: 360 }

type Screen = { name: string; path: string; answers: Answers; ready: string; steps?: (page: Page) => Promise<void> }
const late: Overdue = {
  id: 't-1',
  what: 'clock',
  state: 'in_progress',
  kind: 'imaging',
  urgency: 'emergency',
  department: '放射科',
  inviter: { id: 'i-yongning', name: '永宁县人民医院' },
  invited: qinghe,
  contact: '027-5550 6600',
  waits: ['李明远', '何晓'],
  since: '2026-11-22T08:00:00+08:00',
  told: '孙丽、钱进、赵志远',
  told_at: '2026-11-22T08:00:20+08:00',
}
const asked: CountersignMatter = {
  id: 't-1',
  state: 'with_office',
  since: '2026-11-22T08:00:00+08:00',
  kind: 'consult',
  urgency: 'urgent',
  department: '呼吸内科',
  question: '右上叶结节是什么性质？要不要穿刺，还是三个月后复查？',
  patient: '周**',
  doctor: { id: 'd-zhao', name: '赵志远', title: '主治医师' },
  own: false,
  inviter: { id: 'i-yongning', name: '永宁县人民医院' },
  invited: qinghe,
  consent: 'paper',
  consent_at: '2026-11-22T07:50:00+08:00',
  missing: [],
  studies: 1,
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
}
const screens: Screen[] = [
  { name: 'signin', path: '/staff', answers: { 'GET /me': refuse(401) }, ready: 'input[name=login]' },
  {
    name: 'cockpit',
    path: '/staff/visits/v-1',
    answers: {
      ...doctor,
      'GET /queue': {
        visits: [waiting, { ...waiting, id: 'v-2', state: 'booked' }],
        done: 8,
        unsigned_records: 1,
        returned_prescriptions: 1,
      },
      'GET /visits/v-1': waiting,
      'GET /visits/v-1/chart': chart,
      'GET /visits/v-1/record': record,
    },
    ready: '[data-test=chart]',
  },
  {
    name: 'cockpit-empty',
    path: '/staff/visits',
    answers: { ...doctor, 'GET /queue': { visits: [], done: 0, unsigned_records: 0, returned_prescriptions: 0 } },
    ready: '.empty',
  },
  {
    name: 'review',
    path: '/staff/review',
    answers: {
      'GET /me': staff('pharmacist', '刘芳', 'd-liu'),
      'GET /review/queue': [
        {
          ...prescription,
          state: 'signed',
          waiting_s: 130,
          risk: 'raised',
          due_at: new Date(Date.now() + 120_000).toISOString(),
          step: 1,
          picture: {
            allergies: [{ name: { zh: '青霉素类', en: 'Penicillins' }, severity: 'severe', reaction: '皮疹' }],
            medicines: [{ name: { zh: '氨氯地平', en: 'Amlodipine' }, daily: '5 mg', left: 3 }],
            conditions: ['I10'],
            weight_kg: '62',
            unlisted: [],
          },
        },
      ],
      [`GET /prescriptions?person_id=${prescription.person.id}`]: [{ ...prescription, id: 'rx-0', state: 'dispensed' }],
    },
    ready: '[data-test=reviewing]',
  },
  {
    name: 'review-empty',
    path: '/staff/review',
    answers: { 'GET /me': staff('pharmacist', '刘芳', 'd-liu'), 'GET /review/queue': [] },
    ready: '.empty',
  },
  {
    name: 'evidence',
    path: '/staff/evidence',
    answers: {
      'GET /me': staff('coordinator', '孙丽', 'd-sun'),
      'GET /evidence/queue': [queued],
      'GET /evidence/e-1/file': {},
    },
    ready: '[data-test=verify-evidence]',
  },
  {
    name: 'overdue',
    path: '/staff/overdue',
    answers: {
      'GET /me': staff('administrator', '钱进', 'd-qian'),
      'GET /overdue-consults': [
        late,
        {
          ...late,
          id: 't-2',
          what: 'critical',
          waits: ['赵志远'],
          taken_by: '郑岩',
          taken_at: '2026-11-22T09:00:00+08:00',
          taken_words: '已电话联系赵志远。',
        },
        { ...late, id: 't-3', what: 'countersign', waits: ['袁敏'], urgency: 'emergency' },
      ],
    },
    ready: '[data-test=overdue]',
    steps: async (page) => {
      await page.click('[data-test=take-up]')
      await page.waitForSelector('[data-test=take-up-go]')
    },
  },
  {
    name: 'countersigns',
    path: '/staff/countersigns',
    answers: {
      'GET /me': staff('administrator', '袁敏', 'd-yuan'),
      'GET /countersigns': {
        rules: [
          {
            place: { id: 'i-yongning', name: '永宁县人民医院' },
            version: 2,
            needed: true,
            history: [
              { version: 2, needed: true, by: '袁敏', reason: '院务会决定', at: '2026-11-20T08:00:00+08:00' },
              { version: 1, needed: false, by: '周莉', reason: '试行结束', at: '2026-11-12T08:00:00+08:00' },
            ],
          },
        ],
        cases: [
          {
            ...asked,
            due: '2026-11-23T08:00:00+08:00',
            told_at: '2026-11-23T02:00:00+08:00',
            id: 't-2',
            urgency: 'emergency',
            consent: 'head_approval',
          },
          asked,
          { ...asked, id: 't-3', own: true, missing: ['diagnosis', 'images_or_labs'] },
        ],
      },
    },
    ready: '[data-test=countersign]',
    steps: async (page) => {
      await page.locator('[data-test=countersign-refuse]').first().click()
      await page.waitForSelector('[data-test=countersign-refuse-go]')
    },
  },
  {
    name: 'release',
    path: '/staff/cases/t-1',
    answers: {
      'GET /me': staff('coordinator', '孙丽', 'd-sun'),
      'GET /teleconsults': [{ ...consult, ...answering }],
      'GET /teleconsults/t-1': { ...consult, ...answering },
      'GET /teleconsults/t-1/experts': [
        { practitioner_id: 'd-li', name: '李明远', title: '主任医师', places: ['清河市第一医院'] },
        { practitioner_id: 'd-meng', name: '孟然', title: '主任医师', places: ['清河市第一医院'] },
      ],
    },
    ready: '[data-test=releasing]',
    steps: async (page) => {
      await page.locator('[data-test=release]').first().click()
      await page.waitForSelector('[data-test=leave-go]')
    },
  },
  {
    name: 'board',
    path: '/staff/cases/t-1',
    answers: {
      'GET /me': staff('coordinator', '孙丽', 'd-sun'),
      'GET /teleconsults': [consult],
      'GET /teleconsults/t-1': consult,
      'GET /teleconsults/t-1/experts': [
        { practitioner_id: 'd-li', name: '李明远', title: '主任医师', places: ['江城大学附属医院', '清河市第一医院'] },
      ],
      'GET /teleconsults/t-1/times': [
        {
          start: '2026-11-22T17:20:00+08:00',
          end: '2026-11-22T17:50:00+08:00',
          free_at: ['江城大学附属医院', '清河市第一医院'],
        },
      ],
    },
    ready: '[data-test=expert]',
    steps: async (page) => {
      await page.click('[data-test=expert]')
      await page.waitForSelector('[data-test=assign]')
    },
  },
  {
    name: 'request',
    path: '/staff/cases/new',
    answers: {
      'GET /me': staff('doctor', '赵志远', 'd-zhao'),
      'GET /teleconsults': [],
      'GET /institutions': [{ ...qinghe, kind: '', region: '', address: '', phone: '', departments: ['呼吸内科'] }],
    },
    ready: '[data-test=save-request]',
  },
  {
    name: 'draft',
    path: '/staff/cases/t-1',
    answers: {
      'GET /me': staff('doctor', '赵志远', 'd-zhao'),
      'GET /teleconsults': [{ ...consult, state: 'draft' }],
      'GET /teleconsults/t-1': { ...consult, state: 'draft' },
      'GET /imaging/studies': [],
    },
    ready: '[data-test=submit-request]',
  },
  {
    name: 'case-closed',
    path: '/staff/cases/t-1',
    answers: {
      'GET /me': staff('doctor', '赵志远', 'd-zhao'),
      'GET /teleconsults': [{ ...consult, state: 'closed' }],
      'GET /teleconsults/t-1': { ...consult, state: 'closed', expert: party('d-li', '李明远'), patient_invited: true },
      'GET /teleconsults/t-1/messages': [
        {
          id: 'm-1',
          at: '2026-11-22T09:31:00+08:00',
          seat: 'inviter',
          name: '赵志远',
          role: 'host',
          text: '患者吸烟 30 年',
        },
        {
          id: 'm-2',
          at: '2026-11-22T09:32:00+08:00',
          seat: 'patient',
          name: '周大山',
          role: 'guest',
          file: { name: '检查单.png', media_type: 'image/png', size: 120_000 },
        },
      ],
      'GET /teleconsults/t-1/companions': [
        {
          id: 'l-1',
          seat: 'c-l-1',
          name: '周小军',
          role: 'family',
          relation: '儿子',
          state: 'admitted',
          arrived_at: '2026-11-22T09:30:00+08:00',
        },
      ],
      'GET /teleconsults/t-1/quality': {
        seats: ['inviter', 'expert', 'patient'].map((seat) => ({
          seat,
          seconds: 600,
          rtt_ms: 42,
          loss: 0.012,
          concealed: 0.004,
          freezes: 1,
          up_kbps: 600,
          down_kbps: 1100,
          relay: 0,
          sound_only: 0,
          lowest: '360p',
        })),
        gaps: [],
      },
      'GET /teleconsults/t-1/recording': {
        id: 'r-1',
        state: 'done',
        text: { zh: '', en: '' },
        text_version: 'recording-2026-12',
        required: false,
        trouble: false,
        keep_until: '2029-11-22',
        answers: [],
        takes: ['inviter', 'expert', 'patient', 'c-l-1'].map((seat, take) => ({
          take,
          seat,
          type: 'video/webm',
          offset_ms: 0,
          length_ms: 61_000,
          size: 2_000_000,
        })),
      },
    },
    ready: '[data-test=player]',
    steps: async (page) => {
      await page.setViewportSize({ width: 360, height: 640 })
      assert.equal(await overflow(page), 0, 'at 360 px')
      await shot(page, 'staff/case-closed-360', true)
      await page.setViewportSize(desk.viewport)
      await shot(page, 'staff/case-closed-whole', true)
    },
  },
  {
    name: 'reading-room',
    path: '/staff/cases/t-1/room',
    answers: {
      'GET /me': staff('doctor', '李明远', 'd-li'),
      'GET /teleconsults/t-1': { ...consult, state: 'in_progress', expert: party('d-li', '李明远') },
      'POST /teleconsults/t-1/ticket': refuse(404),
    },
    ready: '[data-test=opinion-editor]',
  },
  {
    name: 'recordings',
    path: '/staff/recordings',
    answers: {
      'GET /me': staff('administrator', '钱进', 'd-qian'),
      'GET /recordings/rules': [{ institution_id: 'i-1', institution: '清河市第一医院', required: true, years: 3 }],
      'GET /recordings/ending': [
        ending('r-1', { state: 'due' }),
        ending('r-2', { state: 'agreed', first: '郑岩' }),
        ending('r-3', { state: 'ending', first: '郑岩', second: '何静' }),
        ending('r-4', { state: 'held', held_by: '何静', held_why: '调解中，病历已封存', kind: 'teleconsult' }),
        ending('r-5', {
          state: 'erased',
          first: '郑岩',
          second: '钱进',
          erased_at: '2026-11-20T02:00:00+08:00',
          sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
        }),
      ],
      'GET /recordings/ending?day=2026-11-20': [ending('r-6', { state: 'kept' })],
    },
    ready: '[data-test=ending-one]',
    steps: async (page) => {
      await page.setViewportSize({ width: 360, height: 640 })
      assert.equal(await overflow(page), 0, 'at 360 px')
      await shot(page, 'staff/recordings-360', true)
      await page.setViewportSize(desk.viewport)
      await page.click('[data-test=end-agree]')
      await page.waitForSelector('[data-test=end-agree-go]')
      await shot(page, 'staff/recordings-sure')
      await page.keyboard.press('Escape')
      await page.fill('[data-test=of-day] input', '2026-11-20')
      await page.waitForSelector('[data-test=of-day] [data-state=kept] [data-test=hold]')
      await page.setViewportSize({ width: 360, height: 640 })
      assert.equal(await overflow(page), 0, 'of a day, at 360 px')
      await shot(page, 'staff/recordings-day-360', true)
      await page.setViewportSize(desk.viewport)
    },
  },
  {
    name: 'nothing',
    path: '/staff',
    answers: { 'GET /me': { ...staff('doctor', '吴监', 'd-wu'), roles: [] } },
    ready: 'h1',
  },
]

describe('staff screens', { concurrency: 1 }, () => {
  let browser: Browser
  before(async () => {
    browser = await launch()
  })
  after(async () => browser.close())

  for (const mode of ['zh', 'en'] as const)
    for (const screen of screens)
      it(`${screen.name} (${mode})`, async () => {
        const { address, server } = await serve(screen.answers)
        const { context, page, errors } = await someone(browser, desk)
        try {
          await page.addInitScript((mode) => localStorage.setItem('yz.lang', mode), mode)
          await page.goto(address + screen.path)
          await page.waitForSelector(screen.ready)
          await screen.steps?.(page)
          await shot(page, `staff/${screen.name}-${mode}`)
          assert.deepEqual(errors, [])
          assert.equal(await overflow(page), 0, 'scrolls sideways')
          assert.deepEqual(await tooSmall(page, 24), [], 'targets too small')
          assert.deepEqual(await violations(page), [])
        } finally {
          await context.close()
          server.closeAllConnections()
          server.close()
        }
      })

  it('a phrase is kept only once the kept ones are here, and beside them', async () => {
    const one = screens.find(({ name }) => name === 'reading-room')
    assert.ok(one)
    const sent: unknown[] = []
    const { address, server } = await serve({
      ...one.answers,
      'GET /opinion-phrases': { findings: ['未见明显异常'], advice: ['三个月后复查'] },
      'PUT /opinion-phrases': (body: unknown) => {
        sent.push(body)
        return body
      },
    })
    const { context, page } = await someone(browser, desk)
    try {
      let let_through = () => {}
      const held = new Promise<void>((done) => {
        let_through = done
      })
      await page.route('**/opinion-phrases', async (route) => {
        await held
        await route.continue()
      })
      await page.goto(address + one.path)
      await page.waitForSelector(one.ready)
      await page.fill('textarea[name=findings]', '右上叶结节')
      const book = page.locator('[data-test=phrases-findings]')
      await book.locator('summary').click()
      await book.locator('.loading').waitFor()
      assert.ok(await book.locator('[data-test=keep-phrase]').isDisabled(), 'nothing is kept over what is not here yet')
      let_through()
      await book.locator('[data-test=phrase]', { hasText: '未见明显异常' }).waitFor()
      await book.locator('[data-test=keep-phrase]').click()
      await book.locator('[data-test=phrase]', { hasText: '右上叶结节' }).waitFor()
      assert.deepEqual(sent, [{ findings: ['未见明显异常', '右上叶结节'], advice: ['三个月后复查'] }])
    } finally {
      await context.close()
      server.closeAllConnections()
      server.close()
    }
  })

  // Every role's bar is one line on a desk; what is not used all day is in menus by subject.
  const bars: [Me['roles'][number]['role'], string[], string[]][] = [
    ['doctor', ['门诊', '会诊'], ['机构和人员']],
    ['pharmacist', [], []],
    ['coordinator', [], []],
    ['administrator', [], ['规则', '机构和人员', '运行']],
    ['regulator', [], ['规则', '机构和人员']],
  ]
  for (const mode of ['zh', 'en'] as const)
    it(`the bar of each role (${mode})`, async () => {
      const { context, page, errors } = await someone(browser, desk)
      try {
        await page.addInitScript((mode) => localStorage.setItem('yz.lang', mode), mode)
        for (const [role, plain, menus] of bars) {
          const { address, server } = await serve({ 'GET /me': staff(role, '钱进', 'd-qian') })
          await page.setViewportSize(desk.viewport)
          await page.goto(`${address}/staff/certificates`)
          await page.waitForSelector('.deskbar nav')
          if (mode === 'zh') {
            const shown = await page.locator('.deskbar nav > a').allTextContents()
            assert.deepEqual(
              plain,
              plain.filter((one) => shown.includes(one)),
            )
            const named = await page.locator('.deskbar .menu > button').allTextContents()
            assert.deepEqual(
              named.map((one) => one.replace(/[ ▾]/g, '')),
              menus,
            )
          }
          for (const width of [1366, 1024]) {
            await page.setViewportSize({ width, height: 768 })
            assert.equal(await overflow(page), 0, `${role} at ${width}`)
            await shot(page, `staff/bar-${role}-${mode}-${width}`)
            const high = await page.locator('.deskbar').evaluate((bar) => bar.getBoundingClientRect().height)
            if (width === 1366) assert.ok(high < 60, `the bar of ${role} is ${high} high`)
          }
          const menu = page.locator('.deskbar .menu').first()
          if (menus.length > 0) {
            await menu.locator('button').focus()
            await page.keyboard.press('ArrowDown')
            await menu.locator('a:first-child:focus').waitFor()
            await page.keyboard.press('End')
            await menu.locator('a:last-child:focus').waitFor()
            await page.keyboard.press('Escape')
            await menu.locator('button:focus').waitFor()
            await menu.locator('.sheet').waitFor({ state: 'hidden' })
            await page.setViewportSize({ width: 360, height: 640 })
            await page.locator('.deskbar .menu > button').last().click()
            const sheet = page.locator('.deskbar .menu > .sheet').last()
            const box = await sheet.boundingBox()
            assert.ok(box && box.x >= 0 && box.x + box.width <= 360, JSON.stringify(box))
            assert.equal(await overflow(page), 0, `${role} at 360`)
            assert.deepEqual(await tooSmall(page, 24), [])
            assert.deepEqual(await violations(page), [])
            await shot(page, `staff/bar-${role}-${mode}-360`)
            const href = await sheet.locator('a').first().getAttribute('href')
            await sheet.locator('a').first().click()
            await page.waitForURL(`**${href}`)
            await sheet.waitFor({ state: 'hidden' })
          }
          server.closeAllConnections()
          server.close()
        }
        assert.deepEqual(errors, [])
      } finally {
        await context.close()
      }
    })
})
