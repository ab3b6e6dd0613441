import { cleanup, fireEvent, render } from '@testing-library/preact'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { useKeys } from './keys'

function Screen({ next }: { next: () => void }) {
  useKeys({ F2: next, 'Ctrl+KeyK': next })
  return <input />
}
afterEach(cleanup)

describe('keys of the workspace', () => {
  const pressed = (event: object) => {
    const next = vi.fn()
    render(<Screen next={next} />)
    fireEvent.keyDown(document.body, event)
    return next.mock.calls.length
  }
  it('act on their code', () => {
    expect(pressed({ code: 'F2' })).toBe(1)
    expect(pressed({ code: 'KeyK', ctrlKey: true })).toBe(1)
    expect(pressed({ code: 'KeyK' })).toBe(0)
  })
  it('are deaf while an input method composes', () => {
    expect(pressed({ code: 'F2', isComposing: true })).toBe(0)
    expect(pressed({ code: 'F2', keyCode: 229 })).toBe(0)
  })
  it('do not repeat while held', () => {
    expect(pressed({ code: 'F2', repeat: true })).toBe(0)
  })
})
