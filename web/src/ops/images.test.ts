import { expect, test } from 'vitest'
import { type Device, standing } from './images'

const now = new Date('2026-11-27T10:00:00Z')
const device = (more: Partial<Device>): Device => ({
  id: '1',
  institution_id: '2',
  name: 'CT',
  made_at: '2026-11-01T00:00:00Z',
  state: { queued: 0, bytes: 0, refused: 0 },
  ...more,
})

test.each([
  ['ended', device({ revoked_at: '2026-11-02T00:00:00Z', seen_at: '2026-11-27T09:59:30Z' })],
  ['new', device({})],
  ['silent', device({ seen_at: '2026-11-27T09:54:00Z' })],
  ['trouble', device({ seen_at: '2026-11-27T09:59:30Z', state: { queued: 1, bytes: 9, refused: 1 } })],
  [
    'trouble',
    device({ seen_at: '2026-11-27T09:59:30Z', state: { queued: 1, bytes: 9, refused: 0, last_error: 'line' } }),
  ],
  ['well', device({ seen_at: '2026-11-27T09:59:30Z', state: { queued: 7, bytes: 9, refused: 0 } })],
] as const)('a machine is %s', (want, one) => {
  expect(standing(one, now)).toBe(want)
})
