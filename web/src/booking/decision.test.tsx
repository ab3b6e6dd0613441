import { cleanup, fireEvent, render, screen } from '@testing-library/preact'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Decision, Verdict } from '../api/types/booking'
import { lang } from '../i18n/i18n'
import { DecisionPage, reachable } from './decision'

const deeds = () => ({ onGo: vi.fn(), onUpload: vi.fn(), onAgain: vi.fn(), onOther: vi.fn(), onMistake: vi.fn() })

const first: Decision = {
  id: '0190aaaa-0000-7000-8000-00000000beef',
  stage: 'booking',
  verdict: 'REDIRECT_OFFLINE',
  reasons: [
    {
      rule: 'VIS-11',
      outcome: 'REDIRECT_OFFLINE',
      message: { zh: '第一次看这个病，要到医院当面看。', en: 'For a first visit, see a doctor in person.' },
      remedy: { zh: '请选下面的门诊。', en: 'Choose a clinic below.' },
      citation: '互联网诊疗监管细则（试行）第十九条',
    },
  ],
  ways: [
    {
      kind: 'offline_site',
      title: { zh: '清河市第一医院门诊', en: 'Qinghe First Hospital' },
      detail: { zh: '心血管内科', en: 'Cardiology' },
      phone: '0310-5550120',
      address: '清河市人民路 1 号',
    },
    { kind: 'upload', title: { zh: '我有诊断资料', en: 'I have a record' }, detail: { zh: '', en: '' } },
  ],
  rule_set: 'cn-12',
  facts_sha256: 'ab',
  at: '2026-11-22T02:00:00Z',
}

afterEach(() => {
  cleanup()
  lang.value = 'zh'
})

describe('the decision page', () => {
  it('explains a refused first visit: reason, rule, cost and ways out', () => {
    const given = deeds()
    render(<DecisionPage decision={first} {...given} />)
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('这次要到医院当面看。')
    expect(screen.getByText('第一次看这个病，要到医院当面看。')).toBeTruthy()
    expect(screen.getByText('没有扣您的钱。')).toBeTruthy()
    expect(screen.getByText('VIS-11')).toBeTruthy()
    expect(screen.getByText('互联网诊疗监管细则（试行）第十九条')).toBeTruthy()
    expect(screen.getByRole('link', { name: /0310-5550120/ }).getAttribute('href')).toBe('tel:0310-5550120')
    fireEvent.click(screen.getByRole('button', { name: '补一份资料' }))
    expect(given.onUpload).toHaveBeenCalledOnce()
    expect(screen.queryByText('选医生')).toBeNull()
  })

  const headings: [Verdict, string, string][] = [
    ['ALLOW', '可以在网上复诊。', 'You can have this follow-up online.'],
    ['ALLOW_COND', '可以在网上看，但有条件。', 'You can be seen online, with a condition.'],
    ['REQUIRE', '还差 1 样，补上就能继续。', 'Missing: 1. Add what is missing to go on.'],
    ['REDIRECT_OFFLINE', '这次要到医院当面看。', 'This time, see a doctor in person.'],
    ['DENY', '这里现在不能网上看。', 'Online care is not possible here now.'],
    ['EMERGENCY', '请马上打 120', 'Call 120 now'],
  ]
  it.each(headings)('%s has a heading in both languages', (verdict, zh, en) => {
    render(<DecisionPage decision={{ ...first, verdict }} {...deeds()} />)
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe(zh)
    cleanup()
    lang.value = 'en'
    render(<DecisionPage decision={{ ...first, verdict }} {...deeds()} />)
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe(en)
  })

  it.each(['ALLOW', 'ALLOW_COND'] as const)('%s leads to the doctors', (verdict) => {
    const given = deeds()
    render(<DecisionPage decision={{ ...first, verdict }} {...given} />)
    fireEvent.click(screen.getByRole('button', { name: '选医生' }))
    expect(given.onGo).toHaveBeenCalledOnce()
    expect(screen.queryByText('没有扣您的钱。')).toBeNull()
  })

  it('says that nothing is to be done while the hospital checks a record', () => {
    const reason = { ...first.reasons[0], rule: 'VIS-04', outcome: 'REQUIRE' } as Decision['reasons'][number]
    render(<DecisionPage decision={{ ...first, verdict: 'REQUIRE', reasons: [reason] }} {...deeds()} />)
    expect(screen.getByRole('status').textContent).toContain('医院核对好了，这里会自己变')
  })

  it('leaves 120 and one way back on the emergency page', () => {
    const given = deeds()
    render(<DecisionPage decision={{ ...first, verdict: 'EMERGENCY' }} {...given} />)
    expect(screen.getByRole('link').getAttribute('href')).toBe('tel:120')
    expect(screen.getAllByRole('button')).toHaveLength(1)
    fireEvent.click(screen.getByRole('button'))
    expect(given.onMistake).toHaveBeenCalledOnce()
  })

  it('gives a phone to who wants to ask a person', () => {
    const review = {
      kind: 'human_review' as const,
      title: { zh: '请人工复核', en: 'Ask a person' },
      detail: { zh: '', en: '' },
    }
    render(
      <DecisionPage decision={{ ...first, verdict: 'REQUIRE', ways: [review] }} phone="027-55501200" {...deeds()} />,
    )
    expect(screen.getByRole('link').getAttribute('href')).toBe('tel:027-55501200')
    expect(reachable([...first.ways, review]).at(-1)?.phone).toBe('0310-5550120')
  })

  it('offers another illness when the server knows no way out', () => {
    const given = deeds()
    render(<DecisionPage decision={{ ...first, verdict: 'DENY', ways: [] }} {...given} />)
    fireEvent.click(screen.getByRole('button', { name: '看别的病' }))
    expect(given.onOther).toHaveBeenCalledOnce()
  })
})
