import { describe, expect, it } from 'vitest'
import { allRows, calibration, ecgOf, isEcg, lineOf, samplesAt, usualSheet } from './ecg'
import type { Instance } from './study'

const names = ['I', 'II', 'III', 'aVR', 'aVL', 'aVF', 'V1', 'V2', 'V3', 'V4', 'V5', 'V6']
const rate = 500

const channel = (name: string, unit = 'uV', rest: Instance = {}): Instance => ({
  '003A0208': { vr: 'SQ', Value: [{ '00080104': { vr: 'LO', Value: [`Lead ${name}`] } }] },
  '003A0210': { vr: 'DS', Value: [2.5] },
  '003A0211': { vr: 'SQ', Value: [{ '00080100': { vr: 'SH', Value: [unit] } }] },
  '003A0212': { vr: 'DS', Value: [1] },
  '003A0213': { vr: 'DS', Value: [0] },
  ...rest,
})
const recording = (channels: Instance[], seconds: number, rest: Instance = {}): Instance => ({
  '54000100': {
    vr: 'SQ',
    Value: [
      {
        '003A0005': { vr: 'US', Value: [channels.length] },
        '003A0010': { vr: 'UL', Value: [seconds * rate] },
        '003A001A': { vr: 'DS', Value: [rate] },
        '003A0200': { vr: 'SQ', Value: channels },
        '54001006': { vr: 'CS', Value: ['SS'] },
        '54001010': { vr: 'OW', BulkDataURI: 'http://h/dicomweb/studies/1/bulkdata/54000100.1.54001010' },
        ...rest,
      },
    ],
  },
})
/** Every channel at rest but for one sample a second, which reads 400: 1 mV at 2.5 µV. */
const samples = (channels: number, seconds: number) => {
  const all = new Int16Array(channels * seconds * rate)
  for (let second = 0; second < seconds; second++)
    for (let n = 0; n < channels; n++) all[second * rate * channels + n] = 400
  return all.buffer
}
const twelve = names.map((name) => channel(name))

describe('an electrocardiogram', () => {
  it('is read in millivolts', () => {
    const ecg = ecgOf(recording(twelve, 10), samples(12, 10))
    expect(ecg).toMatchObject({ rate: 500, seconds: 10, left: [] })
    expect(ecg?.leads.map(({ name }) => name)).toEqual(names)
    for (const { mV } of ecg?.leads ?? []) {
      expect(mV[0]).toBeCloseTo(1)
      expect(mV[1]).toBe(0)
      expect(mV[rate]).toBeCloseTo(1)
    }
  })
  it('counts unit, correction and baseline', () => {
    const in_mV = channel('I', 'mV', {
      '003A0210': { vr: 'DS', Value: [0.005] },
      '003A0212': { vr: 'DS', Value: [2] },
      '003A0213': { vr: 'DS', Value: [-0.5] },
    })
    expect(ecgOf(recording([in_mV], 1), samples(1, 1))?.leads[0]?.mV[0]).toBeCloseTo(400 * 0.005 * 2 - 0.5)
  })
  it('stands at 25 mm/s and 10 mm/mV, with a mark of 10 by 5 mm', () => {
    const ecg = ecgOf(recording(twelve, 10), samples(12, 10))
    if (!ecg) throw new Error('not read')
    const [first] = allRows(ecg).strips
    if (!first) throw new Error('no strip')
    const points = lineOf(first, rate)
      .split(/[ML]/)
      .filter(Boolean)
      .map((pair) => pair.split(' ').map(Number) as [number, number])
    const peaks = points.filter(([, y]) => y < first.y - 5)
    expect(peaks.map(([, y]) => first.y - y)).toEqual(Array(10).fill(10))
    expect((peaks[1]?.[0] ?? 0) - (peaks[0]?.[0] ?? 0)).toBeCloseTo(25)
    expect(calibration(20)).toBe('M2 20h1v-10h5v10h1')
  })
  it('goes on the usual sheet of 250 mm when there are twelve leads of ten seconds', () => {
    const ecg = ecgOf(recording(twelve, 10), samples(12, 10))
    if (!ecg) throw new Error('not read')
    const sheet = usualSheet(ecg)
    expect(sheet?.strips).toHaveLength(13)
    expect(sheet?.width).toBeGreaterThanOrEqual(262)
    const v5 = sheet?.strips.find(({ lead }) => lead.name === 'V5')
    expect([v5?.from, v5?.to]).toEqual([7.5, 10])
    const short = ecgOf(recording(twelve, 5), samples(12, 5))
    expect(short && usualSheet(short)).toBeUndefined()
  })
  it('names what is no voltage or has no scale, and does not draw it', () => {
    const bare = channel('II', 'uV', { '003A0210': { vr: 'DS' } })
    const ecg = ecgOf(recording([channel('I'), channel('ART', 'mm[Hg]'), bare], 1), samples(3, 1))
    expect(ecg?.leads.map(({ name }) => name)).toEqual(['I'])
    expect(ecg?.left).toEqual(['ART', 'II'])
    expect(isEcg(recording([channel('ART', 'mm[Hg]')], 1))).toBe(false)
    expect(isEcg({})).toBe(false)
  })
  it('leaves a gap where nothing was recorded', () => {
    const padded = recording([channel('I')], 1, { '5400100A': { vr: 'OW', InlineBinary: btoa('\x00\x80') } })
    const bytes = new Int16Array(samples(1, 1))
    bytes[2] = -32768
    const ecg = ecgOf(padded, bytes.buffer)
    expect(ecg?.leads[0]?.mV[2]).toBeNaN()
    const [strip] = ecg ? allRows(ecg).strips : []
    expect(strip && lineOf(strip, rate).match(/M/g)).toHaveLength(2)
  })
  it('is refused when its samples are fewer than it says', () => {
    expect(ecgOf(recording(twelve, 10), samples(12, 9))).toBeUndefined()
    expect(ecgOf(recording(twelve, 10, { '54001006': { vr: 'CS', Value: ['MB'] } }), samples(12, 10))).toBeUndefined()
    expect(ecgOf(recording(twelve, 10, { '003A0005': { vr: 'US', Value: [13] } }), samples(12, 10))).toBeUndefined()
  })
  it('has its samples below bulkdata, or in the metadata', () => {
    expect(samplesAt(recording(twelve, 1))).toEqual({ tags: '54000100.1.54001010' })
    expect(samplesAt(recording([], 1, { '54001010': { vr: 'OW', InlineBinary: 'AAAA' } }))).toEqual({ inline: 'AAAA' })
  })
})
