import { cleanup, render, waitFor } from '@testing-library/preact'
import { afterEach, expect, it, vi } from 'vitest'
import type { Seated } from '../api/types/visit'
import { Observe } from './observe'

const seat: Seated = {
  token: 't',
  kind: 'observer',
  seat: 's',
  name: '',
  role: 'observer',
  institution: '县医院',
  phone: '0731-8888 0000',
  doctor: '',
  expires: '',
}

/** The house answers everything with this problem. */
const answering = (status: number, code: string) =>
  vi.stubGlobal(
    'fetch',
    vi.fn(
      async () =>
        new Response(
          JSON.stringify({
            code,
            status,
            detail: { zh: '这样不行。', en: 'Not so.' },
            remedy: { zh: '请那样做。', en: 'Do it like that.' },
          }),
          { status, headers: { 'Content-Type': 'application/problem+json' } },
        ),
    ),
  )

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

it('who waits reads what to do and may telephone', async () => {
  answering(409, 'not_admitted')
  const { container } = render(<Observe seat={seat} />)
  await waitFor(() => expect(container.textContent).toContain('请那样做。'))
  expect(container.querySelector('a[href="tel:073188880000"]')).not.toBeNull()
  expect(container.querySelector('[data-test=observe-home]')).toBeNull()
})

it('whose seat is gone reads what to do, has a way back and a number', async () => {
  answering(410, 'seat_gone')
  const { container } = render(<Observe seat={seat} />)
  await waitFor(() => expect(container.querySelector('main')?.dataset.phase).toBe('ended'))
  expect(container.textContent).toContain('请那样做。')
  expect(container.querySelector('[data-test=observe-home]')?.getAttribute('href')).toBe('/')
  expect(container.querySelector('a[href="tel:073188880000"]')).not.toBeNull()
})
