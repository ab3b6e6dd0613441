import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/preact'
import { afterEach, expect, it, vi } from 'vitest'
import { Withdrawing } from './patient_consult'

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

it.each([
  ['不想让外院看', '不想让外院看'],
  ['', '病人没有说明原因'],
])(
  'a patient takes the consent back, with a reason or without (%j), and is told before what follows',
  async (why, reason) => {
    const asked: { path: string; body: unknown }[] = []
    vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
      asked.push({ path, body: JSON.parse(String(init.body)) })
      return Response.json({})
    })
    const done = vi.fn()
    render(<Withdrawing id="c-1" onDone={done} />)
    fireEvent.click(screen.getByText('我不同意会诊了'))
    expect(screen.getByText(/专家不能再看您的影像/)).toBeTruthy()
    const go = screen.getByText('撤回同意').closest('button') as HTMLButtonElement
    if (why) fireEvent.input(screen.getByLabelText(/为什么（告诉医生）/), { target: { value: why } })
    fireEvent.submit(go.form as HTMLFormElement)
    await waitFor(() => expect(done).toHaveBeenCalled())
    expect(asked).toEqual([{ path: '/api/v1/teleconsults/c-1/consent/withdraw', body: { reason } }])
  },
)
