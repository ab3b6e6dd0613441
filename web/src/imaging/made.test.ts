import { describe, expect, it } from 'vitest'
import { kindOf, made } from './made'
import { headOf } from './part10'

const about = { name: '周大山', sex: 'M' } as const

describe('a document of the case', () => {
  const pdf = new Blob(['%PDF-1.4\nhello'])
  it('becomes an object that names the patient, and the same again', async () => {
    const object = await made(pdf, 'pdf', 'case-1', about)
    const bytes = await object.arrayBuffer()
    expect(headOf(bytes)).toMatchObject({ sop: expect.stringMatching(/^2\.25\.\d{1,39}$/), modality: 'DOC' })
    const text = new TextDecoder().decode(bytes)
    expect(text).toContain('周大山')
    expect(text).toContain('%PDF-1.4\nhello')
    expect(await (await made(pdf, 'pdf', 'case-1', about)).text()).toBe(text)
  })
  it('lies in the study of its case', async () => {
    const studyOf = async (id: string, content: string) =>
      headOf(await (await made(new Blob([content]), 'pdf', id, about)).arrayBuffer())
    const [a, b, c] = await Promise.all([studyOf('1', '%PDF-1'), studyOf('1', '%PDF-2'), studyOf('2', '%PDF-1')])
    expect(a?.study).toBe(b?.study)
    expect(a?.sop).not.toBe(b?.sop)
    expect(a?.study).not.toBe(c?.study)
    expect(a?.sop).not.toBe(c?.sop)
  })
})

describe('the kind of a file', () => {
  const of = (...bytes: (number[] | string)[]) =>
    kindOf(new Blob(bytes.map((part) => (typeof part === 'string' ? part : new Uint8Array(part)))))
  it('is told by its content', async () => {
    expect(await of('%PDF-1.7')).toBe('pdf')
    expect(await of([0xff, 0xd8, 0xff, 0xe1])).toBe('photo')
    expect(await of([0x89], 'PNG\r\n\x1a\n')).toBe('photo')
    expect(await of([0, 0, 0, 24], 'ftypheic')).toBe('photo')
    expect(await of('<html>')).toBeUndefined()
    expect(await of('')).toBeUndefined()
  })
})
