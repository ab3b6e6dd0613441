// Every patient screen: no sideways scroll, targets large enough, axe content; in both languages and both sizes.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { Decision } from '../src/api/types/booking'
import { launch, phone, shot, someone } from './browser'
import { allowed, conditions, doctor, patientAnswers, prescription, refused, slots, visit } from './cast'
import { overflow, tooSmall, violations } from './judge'
import { type Answers, refuse, serve } from './serve'

const answered = {
  person: 'p-wang',
  flags: [],
  kind: 'follow_up',
  condition: conditions[0],
  proof: 'given',
  severity: 'mild',
  complaint: '头晕 3 天',
  consents: { internet_care: true, sensitive_pi: true },
}

type Screen = { name: string; path: string; answers?: Answers; draft?: object; steps?: (page: Page) => Promise<void> }
const decided = (decision: Decision): Answers => ({ 'POST /eligibility': decision })
const reason = (rule: string, outcome: Decision['verdict'], zh: string, en: string) => ({
  rule,
  outcome,
  message: { zh, en },
  remedy: { zh: '补上后会自动再看一次。', en: 'It is checked again once added.' },
  citation: '互联网诊疗监管细则（试行）第十八条',
})

const screens: Screen[] = [
  { name: 'signin', path: '/', answers: { 'GET /me': refuse(401) } },
  {
    name: 'signin-code',
    path: '/',
    answers: { 'GET /me': refuse(401) },
    steps: async (page) => {
      await page.fill('input[name=phone]', '13800000021')
      await page.click('button[type=submit]')
      await page.waitForSelector('input[name=code]')
    },
  },
  { name: 'home', path: '/' },
  { name: 'new-person', path: '/people/new' },
  { name: 'who', path: '/book/who' },
  { name: 'flags', path: '/book/flags', draft: { person: 'p-wang' } },
  { name: 'emergency', path: '/emergency' },
  { name: 'kind', path: '/book/kind', draft: answered },
  { name: 'illness', path: '/book/illness', draft: answered },
  { name: 'proof-have', path: '/book/proof', draft: answered },
  { name: 'proof-form', path: '/book/proof', draft: answered, answers: { 'GET /evidence': [] } },
  { name: 'about', path: '/book/about', draft: answered },
  { name: 'consent', path: '/book/consent', draft: answered },
  { name: 'answer-allow', path: '/book/answer', draft: answered },
  {
    name: 'answer-cond',
    path: '/book/answer',
    draft: answered,
    answers: decided({
      ...allowed,
      verdict: 'ALLOW_COND',
      reasons: [
        reason(
          'EXC-05:QH-PILOT@1',
          'ALLOW_COND',
          '本地试点允许，只开和这个病有关的药。',
          'Allowed by a local pilot; only medicine for this illness.',
        ),
      ],
    }),
  },
  {
    name: 'answer-need',
    path: '/book/answer',
    draft: answered,
    answers: decided({
      ...allowed,
      verdict: 'REQUIRE',
      reasons: [
        reason(
          'VIS-04',
          'REQUIRE',
          '医院正在核对您交的资料，一般半小时。',
          'The hospital is checking your record, usually half an hour.',
        ),
      ],
      ways: [
        {
          kind: 'human_review',
          title: { zh: '请人打电话问问', en: 'Ask a person' },
          detail: { zh: '工作日 8:00-18:00', en: 'Weekdays 8:00-18:00' },
          phone: '0319-5550111',
        },
      ],
    }),
  },
  {
    name: 'answer-offline',
    path: '/book/answer',
    draft: { ...answered, kind: 'first_visit' },
    answers: decided(refused),
  },
  {
    name: 'answer-deny',
    path: '/book/answer',
    draft: answered,
    answers: decided({
      ...refused,
      verdict: 'DENY',
      reasons: [
        reason('LIC-02', 'DENY', '这家医院没有批准网上看这个科。', 'This hospital may not see this department online.'),
      ],
    }),
  },
  { name: 'doctors', path: '/book/doctor', draft: { ...answered, decision: allowed } },
  { name: 'times', path: '/book/times', draft: { ...answered, decision: allowed, doctor } },
  { name: 'confirm', path: '/book/confirm', draft: { ...answered, decision: allowed, doctor, slot: slots[0] } },
  { name: 'booked', path: '/visits/v-1', answers: { 'GET /visits/v-1': { ...visit, state: 'booked' } } },
  {
    name: 'booked-tested',
    path: '/visits/v-1',
    answers: { 'GET /visits/v-1': { ...visit, state: 'booked' } },
    steps: async (page) => {
      await page.click('[data-test=try-devices]')
      await page.waitForSelector('[data-test=check-in]')
      await page.waitForTimeout(800)
    },
  },
  { name: 'visits', path: '/visits' },
  { name: 'cancelled', path: '/visits/v-1', answers: { 'GET /visits/v-1': { ...visit, state: 'cancelled' } } },
  { name: 'no-show', path: '/visits/v-1', answers: { 'GET /visits/v-1': { ...visit, state: 'no_show' } } },
  { name: 'in-person', path: '/visits/v-1', answers: { 'GET /visits/v-1': { ...visit, state: 'terminated_offline' } } },
  {
    name: 'after',
    path: '/visits/v-1',
    answers: {
      'GET /visits/v-1': { ...visit, state: 'concluded', prescriptions: [{ id: 'rx-1', state: 'approved' }] },
    },
  },
  { name: 'rx', path: '/prescriptions/rx-1' },
  {
    name: 'rx-signed',
    path: '/prescriptions/rx-1',
    answers: { 'GET /prescriptions/rx-1': { ...prescription, state: 'signed' } },
  },
  { name: 'rx-list', path: '/prescriptions' },
]

describe('patient screens', { concurrency: 1 }, () => {
  let browser: Browser
  before(async () => {
    browser = await launch()
  })
  after(async () => browser.close())

  for (const mode of ['zh', 'en', 'elder'] as const)
    for (const screen of screens)
      it(`${screen.name} (${mode})`, async () => {
        const { address, server } = await serve({ ...patientAnswers, ...screen.answers })
        const { context, page, errors } = await someone(browser, phone)
        try {
          await page.addInitScript(
            ([mode, draft]) => {
              localStorage.setItem('yz.lang', mode === 'en' ? 'en' : 'zh')
              localStorage.setItem('yz.elder', mode === 'elder' ? 'on' : 'off')
              if (draft) sessionStorage.setItem('yz.draft', draft)
            },
            [mode, screen.draft ? JSON.stringify(screen.draft) : ''] as const,
          )
          await page.goto(address + screen.path)
          await page.waitForSelector('h1')
          await screen.steps?.(page)
          await page.waitForFunction(() => document.querySelector('.loading') === null)
          await shot(page, `patient/${screen.name}-${mode}`, true)
          assert.deepEqual(errors, [])
          assert.equal(await overflow(page), 0, 'scrolls sideways')
          assert.deepEqual(await tooSmall(page, mode === 'elder' ? 60 : 48), [], 'targets too small')
          assert.deepEqual(await violations(page), [])
        } finally {
          await context.close()
          server.closeAllConnections()
          server.close()
        }
      })
})
