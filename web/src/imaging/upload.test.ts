import { describe, expect, it } from 'vitest'
import { sopOf } from './part10'
import { detailIn, readStow, type Sent, type Server, type Upload, upload } from './upload'

/** A Part 10 head with this SOP instance, then some bytes. */
function dicom(sop: string, tail = 'pixels'): File {
  const uid = sop.length % 2 ? `${sop}\0` : sop
  const element = (tag: number, kind: string, value: string) => {
    const head = new Uint8Array(8)
    const view = new DataView(head.buffer)
    view.setUint16(0, 2, true)
    view.setUint16(2, tag, true)
    head.set([kind.charCodeAt(0), kind.charCodeAt(1)], 4)
    view.setUint16(6, value.length, true)
    return [head, value]
  }
  return new File(
    [new Uint8Array(128), 'DICM', ...element(2, 'UI', '1.2.840.10008.5.1.4.1.1.2\0'), ...element(3, 'UI', uid), tail],
    `${sop}.dcm`,
  )
}

function server(has: string[] = [], failing: Record<number, Sent | 'cut' | 'lost'> = {}) {
  const stored = new Set(has)
  const seen = { sent: 0, waited: 0 }
  let time = 0
  const port: Server = {
    missing: async (instances) => instances.map(({ sop_uid }) => sop_uid).filter((sop) => !stored.has(sop)),
    send: async (bytes) => {
      const way = failing[seen.sent++]
      const sop = sopOf(bytes) ?? ''
      if (way === 'cut') throw new Error('line down')
      if (way === undefined || way === 'lost') stored.add(sop)
      if (way === 'lost') throw new Error('answer lost')
      return way ?? { ok: true, study: '1.9' }
    },
    wait: async () => void seen.waited++,
    now: () => (time += 100),
  }
  return { port, seen, stored }
}

const names = (count: number) => Array.from({ length: count }, (_, n) => dicom(`1.2.${n + 1}`))

describe('sending images', () => {
  it('sends what is missing and counts what was there', async () => {
    const { port, seen } = server(['1.2.1', '1.2.2'])
    const end = await upload(names(5), port, () => undefined)
    expect(end).toMatchObject({ at: 'done', total: 5, had: 2, received: 5, refused: [], studies: ['1.9'] })
    expect(seen.sent).toBe(3)
  })
  it('carries on after a cut without sending anything twice', async () => {
    const { port, seen, stored } = server([], { 2: 'cut', 4: 'lost' })
    const told: Upload[] = []
    const end = await upload(names(6), port, (state) => told.push(state))
    expect(end).toMatchObject({ at: 'done', received: 6 })
    expect(told.some(({ at, received }) => at === 'cut' && received === 2)).toBe(true)
    expect(stored.size).toBe(6)
    expect(seen).toEqual({ sent: 7, waited: 2 })
  })
  it('leaves what is no DICOM file and says which', async () => {
    const { port, seen } = server()
    const end = await upload([dicom('1.2.1'), new File(['hello'], 'readme.txt')], port, () => undefined)
    expect(end).toMatchObject({ total: 1, received: 1, refused: [{ file: 'readme.txt', why: 'not_dicom' }] })
    expect(seen.sent).toBe(1)
  })
  it('goes on after a file that the server refuses', async () => {
    const { port } = server([], { 0: { ok: false, why: 'conflict', detail: 'other bytes' } })
    const end = await upload(names(2), port, () => undefined)
    expect(end).toMatchObject({
      at: 'done',
      received: 1,
      refused: [{ file: '1.2.1.dcm', why: 'conflict', detail: 'other bytes' }],
    })
  })
  it('stops when the server says no, instead of asking forever', async () => {
    const { port } = server()
    port.missing = async () => Promise.reject(Object.assign(new Error('no'), { status: 403 }))
    await expect(upload(names(1), port, () => undefined)).rejects.toThrow('no')
  })
})

describe('the answer of STOW-RS', () => {
  it('names the study', () => {
    expect(
      readStow(200, {
        '00081199': { Value: [{ '00081190': { Value: ['http://h/dicomweb/studies/1.2.3/series/4/instances/5'] } }] },
      }),
    ).toEqual({ ok: true, study: '1.2.3' })
  })
  it('tells a conflict from a file that cannot be read', () => {
    expect(readStow(409, { '00081198': { Value: [{ '00081197': { Value: [0x0111] } }] } })).toMatchObject({
      ok: false,
      why: 'conflict',
    })
    expect(
      readStow(409, {
        '00081198': { Value: [{ '00081197': { Value: [0xc000] }, '00000902': { Value: ['truncated'] } }] },
      }),
    ).toEqual({ ok: false, why: 'refused', detail: 'truncated' })
    expect(readStow(415, {})).toEqual({ ok: false, why: 'refused', detail: '415' })
  })
})

describe('the detail of a refusal', () => {
  it('is said in the language of the reader, without the number of the part', () => {
    const both = '第 1 个文件：文件不完整或已损坏（第 315884 字节处）。 / Part 1: the file ends in the middle.'
    expect(detailIn('zh', both)).toBe('文件不完整或已损坏（第 315884 字节处）。')
    expect(detailIn('en', both)).toBe('the file ends in the middle.')
    expect(detailIn('en', '415')).toBe('415')
  })
})

describe('the head of a DICOM file', () => {
  it('names the instance', async () => {
    expect(sopOf(await dicom('1.2.840.1').arrayBuffer())).toBe('1.2.840.1')
  })
  it.each([
    ['empty', []],
    ['text', ['x'.repeat(400)]],
    ['cut', [new Uint8Array(128), 'DICM', new Uint8Array([2, 0, 3, 0, 85, 73, 200, 0])]],
  ])('is not found in a file that is %s', async (_, parts) => {
    expect(sopOf(await new Blob(parts as BlobPart[]).arrayBuffer())).toBeUndefined()
  })
})
