// An electrocardiogram as DICOM keeps it (PS3.3 C.10.9), in millivolts, and where its lines run on paper of 25 mm/s and
// 10 mm/mV.
import { type Instance, items, numbersOf, textOf } from './study'

export type Lead = { name: string; mV: Float64Array }
export type Ecg = {
  /** Samples a second. */
  rate: number
  seconds: number
  leads: Lead[]
  /** Channels that are no voltage, or whose scale the file does not give: they are named and not drawn. */
  left: string[]
}

export const speed = 25 // mm a second
export const gain = 10 // mm a millivolt

/** Millivolts in one of the unit (UCUM). */
const units: Record<string, number> = { mV: 1, uV: 0.001, V: 1000, nV: 1e-6 }

type Reader = { bytes: number; read: (view: DataView, at: number) => number }

/** Waveform Sample Interpretation (5400,1006), PS3.3 C.10.9.1.5; µ-law and A-law are sound, not hearts. */
const readers: Record<string, Reader> = {
  SB: { bytes: 1, read: (view, at) => view.getInt8(at) },
  UB: { bytes: 1, read: (view, at) => view.getUint8(at) },
  SS: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  US: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  SL: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  UL: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
}

const group = '54000100' // Waveform Sequence: the first multiplex group is the recording, others are medians or rhythm
const data = '54001010'
const mostSamples = 20e6 // values of a group, all channels together: hours of twelve leads

export const isEcg = (instance: Instance): boolean => {
  const [first] = items(instance, group)
  return first !== undefined && leadsOf(first).some((channel) => scaleOf(channel) !== undefined)
}

const leadsOf = (multiplex: Instance) => items(multiplex, '003A0200')
const nameOf = (channel: Instance, n: number) => {
  const [source] = items(channel, '003A0208')
  const said = (source && textOf(source, '00080104')) || textOf(channel, '003A0203')
  return said.replace(/^lead\s+/i, '').trim() || String(n + 1)
}

/** From samples to millivolts: sensitivity and its correction, then the baseline in the same unit (PS3.3 C.10.9.1.4). */
function scaleOf(channel: Instance): ((sample: number) => number) | undefined {
  const [unit] = items(channel, '003A0211')
  const mV = units[(unit && textOf(unit, '00080100')) ?? '']
  const [sensitivity] = numbersOf(channel, '003A0210')
  if (mV === undefined || !sensitivity) return undefined
  const [correction = 1] = numbersOf(channel, '003A0212')
  const [baseline = 0] = numbersOf(channel, '003A0213')
  return (sample) => (sample * sensitivity * correction + baseline) * mV
}

/** Where the samples lie: in the metadata, or a path of tags below bulkdata/ (PS3.18 §8.4). */
export function samplesAt(instance: Instance): { inline: string } | { tags: string } | undefined {
  const [first] = items(instance, group)
  const { InlineBinary, BulkDataURI } = first?.[data] ?? {}
  if (InlineBinary) return { inline: InlineBinary }
  const tags = BulkDataURI?.split('/bulkdata/')[1]
  return tags ? { tags } : undefined
}

/** Undefined when the samples are not those that the file announces, or none of them is a voltage. */
export function ecgOf(instance: Instance, samples: ArrayBuffer): Ecg | undefined {
  const [multiplex] = items(instance, group)
  if (!multiplex) return undefined
  const [channels = 0] = numbersOf(multiplex, '003A0005')
  const [count = 0] = numbersOf(multiplex, '003A0010')
  const [rate = 0] = numbersOf(multiplex, '003A001A')
  const reader = readers[textOf(multiplex, '54001006')]
  const definitions = leadsOf(multiplex)
  if (!reader || channels < 1 || count < 1 || !(rate > 0) || definitions.length !== channels) return undefined
  if (channels * count > mostSamples || samples.byteLength < channels * count * reader.bytes) return undefined
  const view = new DataView(samples)
  const padding = paddingOf(multiplex, reader)
  const leads: Lead[] = []
  const left: string[] = []
  definitions.forEach((channel, n) => {
    const toMilliVolt = scaleOf(channel)
    const name = nameOf(channel, n)
    if (!toMilliVolt) {
      left.push(name)
      return
    }
    const mV = new Float64Array(count)
    for (let at = 0; at < count; at++) {
      const sample = reader.read(view, (at * channels + n) * reader.bytes)
      mV[at] = sample === padding ? Number.NaN : toMilliVolt(sample)
    }
    leads.push({ name, mV })
  })
  return leads.length > 0 ? { rate, seconds: count / rate, leads, left } : undefined
}

/** Waveform Padding Value (5400,100A): samples that were not taken. */
function paddingOf(multiplex: Instance, reader: Reader): number | undefined {
  const inline = multiplex['5400100A']?.InlineBinary
  if (!inline) return undefined
  const bytes = Uint8Array.from(atob(inline), (char) => char.charCodeAt(0))
  return bytes.length >= reader.bytes ? reader.read(new DataView(bytes.buffer), 0) : undefined
}

/** A piece of a lead on the paper; its line of no voltage lies at `y`, it begins at `x`, in mm. */
export type Strip = { lead: Lead; from: number; to: number; x: number; y: number }
export type Paper = { width: number; height: number; rows: number[]; strips: Strip[] }

export const margin = 12 // mm left of the leads, for the calibration mark
const above = 15 // mm of a row above its line
const row = 30 // mm

const sheet = [
  ['I', 'aVR', 'V1', 'V4'],
  ['II', 'aVL', 'V2', 'V5'],
  ['III', 'aVF', 'V3', 'V6'],
] as const
const part = 2.5 // seconds of a lead on the usual sheet

/** The usual sheet of three rows of four leads and a rhythm strip; undefined without twelve leads of ten seconds. */
export function usualSheet(ecg: Ecg): Paper | undefined {
  const called = (name: string) => ecg.leads.find((lead) => lead.name.toLowerCase() === name.toLowerCase())
  const rhythm = called('II')
  if (!rhythm || ecg.seconds < part * 4 || sheet.flat().some((name) => !called(name))) return undefined
  const strips: Strip[] = sheet.flatMap((names, r) =>
    names.flatMap((name, c) => {
      const lead = called(name)
      const from = c * part
      return lead ? { lead, from, to: from + part, x: margin + from * speed, y: above + r * row } : []
    }),
  )
  strips.push({ lead: rhythm, from: 0, to: part * 4, x: margin, y: above + sheet.length * row })
  return paper(part * 4, sheet.length + 1, strips)
}

/** Every lead from beginning to end, one below another. */
export function allRows(ecg: Ecg): Paper {
  const strips = ecg.leads.map((lead, n) => ({ lead, from: 0, to: ecg.seconds, x: margin, y: above + n * row }))
  return paper(ecg.seconds, ecg.leads.length, strips)
}

const paper = (seconds: number, rows: number, strips: Strip[]): Paper => ({
  width: Math.ceil((margin + seconds * speed) / 5) * 5,
  height: rows * row,
  rows: Array.from({ length: rows }, (_, n) => above + n * row),
  strips,
})

/** The line of a strip as an SVG path in mm; samples that were not taken leave a gap. */
export function lineOf({ lead, from, to, x, y }: Strip, rate: number): string {
  const first = Math.round(from * rate)
  const last = Math.min(lead.mV.length, Math.round(to * rate) + 1)
  let path = ''
  let pen = false
  for (let at = first; at < last; at++) {
    const mV = lead.mV[at] ?? Number.NaN
    if (Number.isNaN(mV)) {
      pen = false
      continue
    }
    path += `${pen ? 'L' : 'M'}${(x + ((at - first) / rate) * speed).toFixed(2)} ${(y - mV * gain).toFixed(2)}`
    pen = true
  }
  return path
}

/** One millivolt for a fifth of a second: 10 mm high, 5 mm wide. */
export const calibration = (y: number): string => {
  const step = 0.2 * speed
  return `M2 ${y}h1v${-gain}h${step}v${gain}h1`
}
