import { describe, expect, it } from 'vitest'
import { Devices, grade, measureLine } from './devices'

describe('the line test', () => {
  it.each([
    [[20, 30, 25, 28, 900], 28, 'good'],
    [[300, 320, 280, 310, 305], 305, 'fair'],
    [[700, 900, 9999, 9999, 800], 900, 'weak'],
    [[], 9999, 'weak'],
  ] as const)('takes the median of %j', (times, rtt, word) => {
    expect(grade(times)).toEqual({ rtt, grade: word })
  })
  it('calls a line that never answers weak, not good', async () => {
    const answer = await measureLine(() => Promise.reject(new Error('no line')), 3)
    expect(answer).toEqual({ rtt: 9999, grade: 'weak' })
  })
  it('asks once more than it counts', async () => {
    let asked = 0
    await measureLine(async () => asked++, 4)
    expect(asked).toBe(5)
  })
})

describe('the report of the devices', () => {
  it('claims nothing that was not tried', () => {
    expect(new Devices().report()).toEqual({
      device: { microphone: false, camera: false, speaker: true },
      network: { rtt_ms: 9999, path: 'https' },
    })
  })
  it('says when the person heard nothing', () => {
    const devices = new Devices()
    devices.speaker.value = 'silent'
    expect(devices.report().device.speaker).toBe(false)
  })
})
