import { act, cleanup, render } from '@testing-library/preact'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { CallScreen } from './call'
import { Devices } from './devices'
import { seatDoor } from './door'
import { Room } from './room'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  cleanup()
  vi.useRealTimers()
})

it('a call that begins asks nothing of the house before its first sound, then everything once', async () => {
  const room = new Room(() => new Promise(() => {}), new Devices())
  const door = {
    ...seatDoor(''),
    messages: vi.fn(async () => []),
    recording: vi.fn(() => new Promise<never>(() => {})),
  }
  const pass = (ms: number) =>
    act(async () => {
      await vi.advanceTimersByTimeAsync(ms)
    })
  render(<CallScreen place="" alone="" myName="" room={room} door={door} chatKey="v" onHang={() => {}} />)
  await pass(500)
  room.view.value = { ...room.view.value, phase: 'live' }
  await pass(2000)
  expect([door.messages.mock.calls.length, door.recording.mock.calls.length]).toEqual([0, 0])
  await pass(3000)
  expect([door.messages.mock.calls.length, door.recording.mock.calls.length]).toEqual([1, 1])
})
