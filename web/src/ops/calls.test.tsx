import { cleanup, render, screen, within } from '@testing-library/preact'
import { afterEach, describe, expect, it } from 'vitest'
import type { Calls } from '../api/types/ops'
import { lang } from '../i18n/i18n'
import { CallTables } from './calls'

afterEach(cleanup)

const calls: Calls = {
  since: '2026-11-26T10:00:00+08:00',
  hours: [
    {
      hour: '2026-11-26T15:00:00+08:00',
      visits: 4,
      reports: 96,
      rtt_p50_ms: 80,
      rtt_p95_ms: 420,
      loss_p95: 0.012,
      concealed_p95: 0.004,
      relay: 0.25,
      tcp: 0,
      sound_only: 0.5,
      gaps: 1,
    },
  ],
  worst: [
    {
      id: '0190-abcdef',
      at: '2026-11-26T15:20:00+08:00',
      institution: '清河市第一医院',
      seat: 'patient',
      rtt_ms: 420,
      loss: 0.2,
      concealed: 0.05,
      relay: 1,
      sound_only: 1,
      gaps: 1,
    },
  ],
}

describe('the lines of a day', () => {
  it('says which calls to ring about, and marks what a person hears', () => {
    lang.value = 'zh'
    render(<CallTables calls={calls} />)
    const [worst, hours] = screen.getAllByRole('table') as [HTMLElement, HTMLElement]
    expect(within(worst).getByText('病人')).toBeTruthy()
    expect([...worst.querySelectorAll('.tag.warn')].map((tag) => tag.textContent?.trim())).toEqual([
      '5.0\u00a0%',
      '1',
      '20\u00a0%',
      '420\u00a0ms',
    ])
    expect([...hours.querySelectorAll('.tag.warn')].map((tag) => tag.textContent?.trim())).toEqual(['420\u00a0ms'])
  })
  it('says that there were no calls, and since when', () => {
    render(<CallTables calls={{ ...calls, hours: [], worst: [] }} />)
    expect(screen.getByText('这段时间没有通话。')).toBeTruthy()
  })
})
