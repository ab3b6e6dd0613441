import { cleanup, fireEvent, render, screen } from '@testing-library/preact'
import { afterEach, expect, it, vi } from 'vitest'
import { type Line, LineNote } from './line_note'

afterEach(cleanup)

const at = (light: Line['line']['light'], soundOnly = false): Line => ({
  phase: 'live',
  remotes: [],
  returned: false,
  mic: true,
  line: { light, sends: '360p', takes: '720p', soundOnly },
})

it('a poor line is said, with the way to sound alone and back', () => {
  const only = vi.fn()
  const { rerender } = render(<LineNote view={at('good')} onSoundOnly={only} />)
  expect(screen.queryByText('只留声音')).toBeNull()
  rerender(<LineNote view={at('fair')} onSoundOnly={only} />)
  expect(screen.getByText('线路一般')).toBeTruthy()
  rerender(<LineNote view={at('poor')} onSoundOnly={only} />)
  expect(screen.getByText(/网络质量不足/)).toBeTruthy()
  fireEvent.click(screen.getByText('只留声音'))
  expect(only).toHaveBeenLastCalledWith(true)
  rerender(<LineNote view={at('poor', true)} onSoundOnly={only} />)
  expect(screen.queryByText(/网络质量不足/)).toBeNull()
  fireEvent.click(screen.getByText('恢复画面'))
  expect(only).toHaveBeenLastCalledWith(false)
})
