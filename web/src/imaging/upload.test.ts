import { generateKeyPairSync, sign } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { zipped } from '../../e2e/archive'
import { Problem } from '../api/client'
import { headOf, leadOf, readHead } from './part10'
import { lackingIn, proofOf } from './receipt'
import { detailIn, Pause, readStow, type Sent, type Server, toServer, type Upload, upload } from './upload'
import { BadZip, isZip, type Source, unzip } from './zip'

const testdata = '../storage/imaging/testdata'
const bytesOf = (path: string) => new Uint8Array(readFileSync(`${testdata}/${path}`)).buffer as ArrayBuffer

/** An explicit little endian element of up to 64 kB. */
const element = (group: number, tag: number, kind: string, value: string) => {
  const even = value.length % 2 ? `${value}${kind === 'UI' ? '\0' : ' '}` : value
  const head = new Uint8Array(8)
  const view = new DataView(head.buffer)
  view.setUint16(0, group, true)
  view.setUint16(2, tag, true)
  head.set([kind.charCodeAt(0), kind.charCodeAt(1)], 4)
  view.setUint16(6, even.length, true)
  return [head, even]
}

/** A Part 10 file with this SOP instance, of this study. */
const dicom = (sop: string, study = '1.9', name = `${sop}.dcm`): Source => {
  const blob = new Blob([
    new Uint8Array(128),
    'DICM',
    ...element(2, 2, 'UI', '1.2.840.10008.5.1.4.1.1.2'),
    ...element(2, 3, 'UI', sop),
    ...element(2, 0x10, 'UI', '1.2.840.10008.1.2.1'),
    ...element(8, 0x18, 'UI', sop),
    ...element(8, 0x20, 'DA', '20261127'),
    ...element(8, 0x60, 'CS', 'CT'),
    ...element(0x20, 0x0d, 'UI', study),
    ...element(0x20, 0x13, 'IS', '1'),
  ])
  return { name, size: blob.size, read: async () => blob }
}
const plain = (name: string, text: string): Source => {
  const blob = new Blob([text])
  return { name, size: blob.size, read: async () => blob }
}

function server(has: string[] = [], failing: Record<number, Sent | 'cut' | 'lost'> = {}, conflicting: string[] = []) {
  const stored = new Set(has)
  const seen = { sent: 0, waited: 0 }
  let time = 0
  const port: Server = {
    have: async (instances) => ({
      missing: instances.map(({ sop_uid }) => sop_uid).filter((sop) => !stored.has(sop) && !conflicting.includes(sop)),
      conflicts: conflicting,
    }),
    send: async (bytes) => {
      const way = failing[seen.sent++]
      const sop = headOf(await bytes.arrayBuffer())?.sop ?? ''
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

const names = (count: number, study = '1.9') =>
  Array.from({ length: count }, (_, n) => dicom(`${study}.${n + 1}`, study))
const run = (sources: Source[], port: Server, tell: (state: Upload) => void = () => undefined, pause = new Pause()) =>
  upload(sources, port, pause, tell)

describe('sending images', () => {
  it('sends what is missing and counts what was there', async () => {
    const { port, seen } = server(['1.9.1', '1.9.2'])
    const end = await run(names(5), port)
    expect(end).toMatchObject({ at: 'done', total: 5, had: 2, received: 5, refused: [] })
    expect(end.held).toHaveLength(5)
    expect(seen.sent).toBe(3)
  })
  it('carries on after a cut without sending anything twice', async () => {
    const { port, seen, stored } = server([], { 2: 'cut', 4: 'lost' })
    const told: Upload[] = []
    const end = await run(names(6), port, (state) => told.push(state))
    expect(end).toMatchObject({ at: 'done', received: 6 })
    expect(told.some(({ at, received }) => at === 'cut' && received === 2)).toBe(true)
    expect(stored.size).toBe(6)
    expect(seen).toEqual({ sent: 7, waited: 2 })
  })
  it('counts each study, one after another', async () => {
    const { port } = server()
    const told: Upload[] = []
    const [a1, a2] = names(2, '1.5') as [Source, Source]
    const [b1, b2] = names(2, '1.6') as [Source, Source]
    const end = await run([a1, b1, a2, b2], port, (state) => told.push(state))
    expect(end.studies).toMatchObject([
      { uid: '1.5', what: 'CT 2026-11-27', total: 2, received: 2, bytesLeft: 0 },
      { uid: '1.6', what: 'CT 2026-11-27', total: 2, received: 2, bytesLeft: 0 },
    ])
    const halfway = told.find(({ received }) => received === 2)
    expect(halfway?.studies.map(({ received }) => received)).toEqual([2, 0])
    expect(halfway?.bytesLeft).toBe(b1.size + b2.size)
  })
  it('leaves what is no DICOM file and says which', async () => {
    const { port, seen } = server()
    const end = await run([dicom('1.2.1'), plain('readme.txt', 'hello')], port)
    expect(end).toMatchObject({ total: 1, received: 1, refused: [{ file: 'readme.txt', why: 'not_dicom' }] })
    expect(seen.sent).toBe(1)
  })
  it('goes on after a file that the server refuses, and one that the disc does not give', async () => {
    const { port } = server([], { 0: { ok: false, why: 'refused', detail: 'cut off' } })
    const scratched: Source = { name: 'IM2', size: 9, read: () => Promise.reject(new Error('not readable')) }
    const [a, b] = names(2) as [Source, Source]
    expect(await run([a, scratched, b], port)).toMatchObject({
      at: 'done',
      received: 1,
      refused: [
        { file: 'IM2', why: 'unreadable' },
        { file: '1.9.1.dcm', why: 'refused', detail: 'cut off' },
      ],
    })
  })
  it('does not wait for a disc that was taken out after the files were read', async () => {
    const { port, seen } = server()
    const [whole] = names(1) as [Source]
    let reads = 0
    const gone = dicom('1.9.7')
    const end = await run(
      [{ ...gone, read: () => (++reads === 1 ? gone.read() : Promise.reject(new Error('gone'))) }, whole],
      port,
    )
    expect(end).toMatchObject({ received: 1, refused: [{ file: '1.9.7.dcm', why: 'unreadable' }] })
    expect(seen.waited).toBe(0)
  })
  it('tells other bytes under a known number and does not send them', async () => {
    const { port, seen } = server([], {}, ['1.9.1'])
    const end = await run(names(2), port)
    expect(end).toMatchObject({ received: 1, had: 0, refused: [{ file: '1.9.1.dcm', why: 'conflict' }] })
    expect(end.held.map(({ sop_uid }) => sop_uid)).toEqual(['1.9.2'])
    expect(seen.sent).toBe(1)
  })
  it('takes the same file twice for one image', async () => {
    const { port, seen } = server()
    const [one] = names(1) as [Source]
    expect(await run([one, { ...one, name: 'copy' }], port)).toMatchObject({ files: 2, total: 1, refused: [] })
    expect(seen.sent).toBe(1)
  })
  it('holds still while it is paused, and goes on', async () => {
    const { port, seen } = server()
    const pause = new Pause()
    const end = run(
      names(4),
      port,
      ({ received }) => {
        if (received === 2 && !pause.on && seen.sent === 2) pause.set(true)
      },
      pause,
    )
    await expect.poll(() => pause.on).toBe(true)
    for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    expect(seen.sent).toBe(2)
    pause.set(false)
    expect(await end).toMatchObject({ at: 'done', received: 4 })
  })
  it('waits where the hospital has no room, loses nothing, and goes on when there is some', async () => {
    const full: Sent = { ok: false, why: 'full', detail: '' }
    const { port, seen } = server([], { 1: full, 2: full })
    const states: string[] = []
    const pause = new Pause()
    const end = await run(
      names(3),
      port,
      ({ at, received }) => {
        states.push(at)
        if (at === 'full') expect([pause.on, received]).toEqual([true, 1])
      },
      pause,
    )
    expect(end).toMatchObject({ at: 'done', received: 3, refused: [] })
    expect(states.filter((at) => at === 'full')).toHaveLength(2)
    expect([seen.sent, pause.on]).toEqual([5, false])
  })
  it('goes on at a press, without waiting for its own time', async () => {
    const { port, stored } = server([], { 0: { ok: false, why: 'full', detail: '' } })
    port.wait = () => new Promise(() => {})
    const pause = new Pause()
    const end = run(names(1), port, ({ at }) => at === 'full' && setTimeout(() => pause.set(false)), pause)
    expect(await end).toMatchObject({ at: 'done', received: 1 })
    expect(stored.size).toBe(1)
  })
  it('waits when a large file is not even begun for want of room', async () => {
    const { port } = server()
    const { send } = port
    let asked = 0
    port.send = async (...all) => {
      if (asked++ === 0) throw Object.assign(new Error('full'), { status: 507 })
      return send(...all)
    }
    const states: string[] = []
    expect(await run(names(1), port, ({ at }) => states.push(at))).toMatchObject({ at: 'done', received: 1 })
    expect(states).toContain('full')
  })
  it.each([403, 507])('stops when the server says no (%i), instead of asking forever', async (status) => {
    const { port } = server()
    port.have = async () => Promise.reject(Object.assign(new Error('no'), { status }))
    await expect(run(names(1), port)).rejects.toThrow('no')
  })
  it('reads no more of a film than its first bytes, however it comes', async () => {
    const { port, seen } = server()
    const film = new Blob(['RIFF', new Uint8Array(100_000)])
    let read = 0
    const watched: Source = {
      name: 'VIDEO.AVI',
      size: 2e9,
      read: async () =>
        Object.assign(film.slice(), {
          arrayBuffer: () => Promise.reject(new Error('too large for this machine')),
          slice: (from: number, to: number) => {
            read = Math.max(read, to - from)
            return film.slice(from, to)
          },
        }),
    }
    const [member] = await unzip(blob([{ name: 'b/FILM.MPG', data: new Uint8Array(3e6) }]))
    const whole = vi.fn(() => Promise.reject(new Error('unpacked whole')))
    const end = await run([watched, { ...(member as Source), read: whole }, ...names(1)], port)
    expect(end.refused).toEqual([
      { file: 'VIDEO.AVI', why: 'not_dicom', detail: '' },
      { file: 'b/FILM.MPG', why: 'not_dicom', detail: '' },
    ])
    expect([read <= 4096, whole.mock.calls.length, seen.sent]).toEqual([true, 0, 1])
  })
  it('refuses a single image beyond what the server takes, without reading it, and an archive inside an archive', async () => {
    const { port } = server()
    const [one] = names(1) as [Source]
    const large: Source = { ...dicom('1.9.8'), size: 2 ** 30 + 1 }
    const inner = blob([{ name: 'IM1', data: new Uint8Array(await (await one.read()).arrayBuffer()) }])
    const nested = await unzip(blob([{ name: 'CT.zip', data: new Uint8Array(await inner.arrayBuffer()) }]))
    expect(await run([large, ...nested, one], port)).toMatchObject({
      received: 1,
      refused: [
        { file: '1.9.8.dcm', why: 'too_large' },
        { file: 'CT.zip', why: 'zip_nested' },
      ],
    })
  })
  it.each([400, 413, 415, 422])('goes on after a file that the server answers with %i', async (status) => {
    const { port, seen } = server()
    const { send } = port
    let asked = 0
    port.send = async (...all) => {
      if (asked++ === 0)
        throw new Problem(status, 'x', { zh: '太大。', en: 'Too large.' }, { zh: '请分开传。', en: 'Send parts.' }, '')
      return send(...all)
    }
    const end = await run(names(3), port)
    expect(end).toMatchObject({ at: 'done', received: 2, refused: [{ file: '1.9.1.dcm', why: 'refused' }] })
    expect(detailIn('zh', end.refused[0]?.detail ?? '')).toBe('太大。请分开传。')
    expect(detailIn('en', end.refused[0]?.detail ?? '')).toBe('Too large. Send parts.')
    expect(seen.sent).toBe(2)
  })
  it('sends again what broke off on the way, though the server could still answer', async () => {
    const { port, seen } = server()
    const { send } = port
    let asked = 0
    port.send = async (...all) => {
      const text = { zh: '上传中断。', en: 'The upload broke off.' }
      if (asked++ === 0) throw new Problem(400, 'upload_broken', text, text, '')
      return send(...all)
    }
    expect(await run(names(2), port)).toMatchObject({ at: 'done', received: 2, refused: [] })
    expect(seen.waited).toBe(1)
  })
  it.each([
    ['other/wave_dfl.dcm', '1.3.6.1.4.1.6018.1.1'],
    ['transfer-syntaxes/image_dfl.dcm', ''],
    ['transfer-syntaxes/MR_small_bigendian.dcm', ''],
  ])('asks for %s by the number in its data set, so that the receipt holds it', async (name, meta) => {
    const { port } = server()
    const bytes = bytesOf(name)
    const end = await run([{ name, size: bytes.byteLength, read: async () => new Blob([bytes]) }], port)
    const [held] = end.held
    expect(held?.sop_uid).toMatch(/^[0-9.]+$/)
    expect(held?.sop_uid).not.toBe(meta)
    expect(held?.study).toMatch(/^[0-9.]+$/)
    const { modality } = (await readHead(bytes)) ?? {}
    expect(modality).toMatch(/^[A-Z]{2,}$/)
  })
  it('sends a file that lacks preamble or head behind a new one, its data set unchanged', async () => {
    const { port } = server()
    const sent: ArrayBuffer[] = []
    const { send } = port
    port.send = async (bytes, ...more) => {
      sent.push(await bytes.arrayBuffer())
      return send(bytes, ...more)
    }
    const data = ['corrupt/ExplVR_LitEndNoMeta.dcm', 'corrupt/ExplVR_BigEndNoMeta.dcm', 'corrupt/rtstruct.dcm'].map(
      bytesOf,
    )
    const cut = bytesOf('transfer-syntaxes/CT_small.dcm').slice(128)
    const sources = [...data, cut].map((bytes, n) => ({
      name: `${n}`,
      size: bytes.byteLength,
      read: async () => new Blob([bytes]),
    }))
    const end = await run(sources, port)
    expect(end).toMatchObject({ received: 4, refused: [] })
    for (const [n, bytes] of [...data, cut].entries()) {
      const whole = sent.find(
        (one) => Buffer.compare(Buffer.from(one.slice(one.byteLength - bytes.byteLength)), Buffer.from(bytes)) === 0,
      )
      expect(whole && headOf(whole)?.sop, `${n}`).toMatch(/^[0-9.]+$/)
    }
  })
  // The same digests stand in storage/imaging/dicom/lead_test.go: the server leads alike.
  it.each([
    ['ExplVR_LitEndNoMeta', '9c82e9532ae425fc'],
    ['ExplVR_BigEndNoMeta', '45e5f0958f110db2'],
    ['rtstruct', 'b79aab0577c64491'],
  ])('leads %s as the server does', async (name, digest) => {
    const lead = await leadOf(bytesOf(`corrupt/${name}.dcm`).slice(0, 4096))?.arrayBuffer()
    const sum = await crypto.subtle.digest('SHA-256', lead ?? new ArrayBuffer(0))
    expect(Buffer.from(sum).toString('hex').slice(0, 16)).toBe(digest)
  })
  it('says what a CD lists and nobody chose', async () => {
    const directory = new Blob([
      new Uint8Array(128),
      'DICM',
      ...element(2, 2, 'UI', '1.2.840.10008.1.3.10'),
      ...element(2, 3, 'UI', '1.7'),
      ...element(2, 0x10, 'UI', '1.2.840.10008.1.2.1'),
      ...['1.9.1', '1.9.2', '1.9.3'].flatMap((sop) => element(4, 0x1511, 'UI', sop)),
    ])
    const { port } = server()
    const cd: Source = { name: 'DICOMDIR', size: directory.size, read: async () => directory }
    expect(await run([cd, ...names(2)], port)).toMatchObject({ total: 2, received: 2, absent: 1, refused: [] })
  })
})

describe('a large file that goes in parts', () => {
  const large = new Blob([new Uint8Array(16e6 + 1)])
  /** A server that answers by method; what was asked of it. */
  const answering = (answers: Record<string, () => Response>) => {
    const asked: string[] = []
    const kept = new Map<string, string>()
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    })
    vi.stubGlobal('fetch', async (_path: string, init: RequestInit = {}) => {
      const method = init.method ?? 'GET'
      asked.push(method)
      return answers[method]?.() ?? new Response(null, { status: 404 })
    })
    return { asked, kept }
  }
  const send = () => toServer('i').send(large, 'abc', () => {}, new Pause())

  it('is told before its first byte that there is no room, with what to do', async () => {
    const problem = { code: 'image_quota', remedy: { zh: '请医院管理员调大上限。', en: 'Ask the administrator.' } }
    const { asked, kept } = answering({
      POST: () =>
        new Response(JSON.stringify(problem), { status: 507, headers: { 'Content-Type': 'application/problem+json' } }),
    })
    await expect(send()).rejects.toMatchObject({ status: 507 })
    expect(asked).toEqual(['POST'])
    expect(kept.size).toBe(0)
    vi.unstubAllGlobals()
  })
  it('waits, and is not refused, when the room was given away while it came', async () => {
    let offset = 0
    const { kept } = answering({
      POST: () => new Response(null, { status: 201, headers: { Location: '/api/v1/imaging/uploads/u' } }),
      PATCH: () => {
        offset = Math.min(large.size, offset + (8 << 20))
        return new Response(null, { status: 204, headers: { 'Upload-Offset': `${offset}` } })
      },
      GET: () =>
        Response.json({
          state: 'done',
          stored: 0,
          studies: [],
          refused: [{ reason: 'A700', detail: { zh: '满', en: 'full' }, full: true }],
        }),
    })
    expect(await send()).toMatchObject({ ok: false, why: 'full' })
    expect(offset).toBe(large.size)
    expect(kept.size).toBe(0)
    vi.unstubAllGlobals()
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
  it.each(readdirSync(`${testdata}/transfer-syntaxes`).filter((name) => name.endsWith('.dcm')))(
    'is read from %s',
    (name) => {
      const head = headOf(bytesOf(`transfer-syntaxes/${name}`))
      expect(head?.sop).toMatch(/^[0-9.]+$/)
      if (head?.study !== undefined) expect(head.study).toMatch(/^[0-9.]+$/)
    },
  )
  it('names instance, study, kind and day of a slice', () => {
    expect(headOf(bytesOf('ct-series-3/01.dcm'))).toMatchObject({
      sop: '1.2.392.200103.20080913.113635.2.2009.6.22.21.43.10.23431.1',
      study: '1.2.392.200103.20080913.113635.0.2009.6.22.21.43.10.22941.1',
      modality: 'CT',
      date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      listed: undefined,
    })
  })
  it.each([
    ['empty', []],
    ['text', ['x'.repeat(400)]],
    ['cut', [new Uint8Array(128), 'DICM', new Uint8Array([2, 0, 3, 0, 85, 73, 200, 0])]],
  ])('is not found in a file that is %s', async (_, parts) => {
    expect(headOf(await new Blob(parts as BlobPart[]).arrayBuffer())).toBeUndefined()
  })
  it('ends for every beginning of a file', () => {
    const whole = bytesOf('ct-series-3/01.dcm').slice(0, 3000)
    for (let length = 0; length < whole.byteLength; length += 7) headOf(whole.slice(0, length))
    expect(headOf(whole)?.modality).toBe('CT')
  })
})

const blob = (files: Parameters<typeof zipped>[0]) => new Blob([new Uint8Array(zipped(files))])

describe('a zip archive', () => {
  const data = new TextEncoder().encode('pixels '.repeat(1000))
  it('is a folder of files', async () => {
    const archive = blob([
      { name: 'CT/', data: new Uint8Array() },
      { name: 'CT/片子1', data },
      { name: 'CT/2', data: data.slice(7) },
    ])
    expect(await isZip(archive)).toBe(true)
    const files = await unzip(archive)
    expect(files.map(({ name }) => name)).toEqual(['CT/片子1', 'CT/2'])
    expect(await (await files[0]?.read())?.text()).toBe('pixels '.repeat(1000))
  })
  it('that is cut, locked or lies about its sizes is told', async () => {
    const whole = blob([{ name: 'a', data }])
    await expect(unzip(whole.slice(0, whole.size - 30))).rejects.toEqual(new BadZip('broken'))
    await expect(unzip(blob([{ name: 'a', data, flags: 1 }]))).rejects.toEqual(new BadZip('locked'))
    const [lies] = await unzip(blob([{ name: 'a', data, says: 10 }]))
    await expect(lies?.read()).rejects.toThrow()
    const [bomb] = await unzip(blob([{ name: 'a', data, says: 900e6 }]))
    await expect(bomb?.read()).rejects.toEqual(new BadZip('large'))
  })
})

describe('the receipt', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const receipt = JSON.stringify({ study_uid: '1.9', instances: [{ sop_uid: '1.9.1', sha256: 'aa' }] })
  const key = {
    alg: 'Ed25519',
    key_id: 'k1',
    public_key: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64'),
  }
  const signature = {
    alg: 'Ed25519',
    key_id: 'k1',
    sig: sign(null, Buffer.from(receipt), privateKey).toString('base64'),
  }
  it('is held to its signature', async () => {
    expect(await proofOf({ receipt, signature }, key)).toBe('good')
    expect(await proofOf({ receipt: `${receipt} `, signature }, key)).toBe('bad')
    expect(await proofOf({ receipt, signature: { ...signature, key_id: 'k2' } }, key)).toBe('bad')
    expect(await proofOf({ receipt, signature: { ...signature, alg: 'SM2' } }, key)).toBe('unchecked')
  })
  it('lacks what is not in it with the same digest', () => {
    const held = [
      { study: '1.9', sop_uid: '1.9.1', sha256: 'aa' },
      { study: '1.9', sop_uid: '1.9.1', sha256: 'bb' },
      { study: '1.9', sop_uid: '1.9.2', sha256: 'aa' },
    ]
    expect(lackingIn(JSON.parse(receipt), held)).toEqual(held.slice(1))
  })
})
