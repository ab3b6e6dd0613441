// The client that OHIF is built on, dicomweb-client, as its authors publish it, in a page of the house: what it hands in is
// found, described and read back, byte for byte where bytes are asked for; and it can tell what went wrong.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { describe } from 'node:test'
import { desk, type Someone } from './browser'
import { Journey } from './journey'
import { enterWorkspace } from './people'

type Items = { [tag: string]: { vr: string; Value?: unknown[]; BulkDataURI?: string } | undefined }
type Deeds<Names extends string, Answer> = Record<Names, (options: object) => Promise<Answer>>
/** As the client behaves; its own types ask for more than it does. */
type Client = Deeds<'storeInstances', unknown> &
  Deeds<'searchForStudies' | 'searchForSeries' | 'searchForInstances', Items[]> &
  Deeds<'retrieveStudyMetadata' | 'retrieveSeriesMetadata' | 'retrieveInstanceMetadata', Items[]> &
  Deeds<'retrieveInstance', ArrayBuffer> &
  Deeds<'retrieveSeries' | 'retrieveStudy' | 'retrieveInstanceFrames' | 'retrieveBulkData', ArrayBuffer[]> &
  Deeds<
    'retrieveInstanceRendered' | 'retrieveInstanceFramesRendered' | 'retrieveInstanceFramesThumbnail',
    [ArrayBuffer]
  >
type Part = { size: number; sum: string; head: number[]; kind: string | null; syntax: string | null }
/** What stands in the page: the client, and what makes its answers ready for the way to the test. */
type Tools = {
  client: Client
  bytes: (base64: string) => ArrayBuffer
  told: (part: ArrayBuffer) => Promise<Part>
}
type At = { studyInstanceUID: string; seriesInstanceUID: string; sopInstanceUID: string }

const folder = '../storage/imaging/testdata'
const names = [
  'ct-series-3/01.dcm',
  'ct-series-3/02.dcm',
  'ct-series-3/03.dcm',
  'transfer-syntaxes/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm',
  'colour/SC_rgb_rle_2frame.dcm',
  'other/encapsulated_pdf.dcm',
]
const sum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
/** As it is served: the preamble is zeros. */
const served = (file: Buffer) => Buffer.concat([Buffer.alloc(128), file.subarray(128)])

describe('dicomweb-client', { concurrency: 1 }, () => {
  const journey = new Journey('dicomweb')
  let doctor: Someone
  let files: Buffer[] = []
  let all: (At & { items: Items })[] = []

  /** Runs in the page of `who`; the deed sees nothing but the tools and what is given. */
  const run = <Given, Answer>(
    who: Someone,
    given: Given,
    deed: (tools: Tools, given: Given) => Promise<Answer>,
  ): Promise<Answer> => who.page.evaluate(`(${deed})(globalThis.tools, ${JSON.stringify(given)})`)

  const bring = async (who: Someone) => {
    await who.page.evaluate(await readFile(createRequire(import.meta.url).resolve('dicomweb-client'), 'utf8'))
    await who.page.evaluate(() => {
      const { DICOMwebClient } = globalThis as unknown as {
        DICOMwebClient: { api: { DICOMwebClient: new (options: object) => Client } }
      }
      const tools: Tools = {
        client: new DICOMwebClient.api.DICOMwebClient({ url: `${location.origin}/dicomweb`, verbose: false }),
        bytes: (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer,
        told: async (part) => {
          const { contentType, transferSyntaxUID } = part as { contentType?: string; transferSyntaxUID?: string }
          const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', part))
          return {
            size: part.byteLength,
            sum: [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
            head: [...new Uint8Array(part.slice(0, 4))],
            kind: contentType ?? null,
            syntax: transferSyntaxUID ?? null,
          }
        },
      }
      Object.assign(globalThis, { tools })
    })
  }
  const at = (n: number): At => {
    const { studyInstanceUID, seriesInstanceUID, sopInstanceUID } = all[n] as At
    return { studyInstanceUID, seriesInstanceUID, sopInstanceUID }
  }

  journey.step('hands files in; the same again is a success, a broken one beside a good one is named', async () => {
    files = await Promise.all(names.map((name) => readFile(`${folder}/${name}`)))
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, journey.person('赵志远'))
    await bring(doctor)
    const store = (some: Buffer[]) =>
      run(
        doctor,
        some.map((file) => file.toString('base64')),
        async ({ client, bytes }, some) => {
          const answer: unknown = await client
            .storeInstances({ datasets: some.map(bytes) })
            .catch(({ status, response }: { status: number; response: unknown }) => ({ status, response }))
          const refused = typeof answer === 'object' && answer !== null && 'status' in answer ? answer : undefined
          return {
            status: refused?.status ?? 200,
            told: JSON.parse(String(refused && 'response' in refused ? refused.response : answer)) as Items,
          }
        },
      )
    for (const _ of ['once', 'again']) {
      const { told } = await store(files)
      assert.equal(told['00081199']?.Value?.length, files.length)
      assert.equal(told['00081198'], undefined)
    }
    const [first] = files as [Buffer]
    const torn = first.subarray(0, 300_000)
    const mixed = await store([torn, first])
    assert.deepEqual(
      [mixed.told['00081199']?.Value?.length, mixed.told['00081198']?.Value?.length],
      [1, 1],
      'one is kept, the other named',
    )
    const none = await store([torn])
    assert.equal(none.status, 409)
    assert.equal(none.told['00081198']?.Value?.length, 1)
  })

  journey.step('finds studies, series and instances as OHIF asks for them', async () => {
    const found = await run(doctor, {}, async ({ client }) => {
      const text = (items: Items, tag: string) => String(items[tag]?.Value?.[0] ?? '')
      const studies = await client.searchForStudies({
        queryParams: { limit: 101, offset: 0, fuzzymatching: false, includefield: '00081030,00080060' },
      })
      const all: { study: string; series: string; instance: Items }[] = []
      for (const study of studies) {
        const studyInstanceUID = text(study, '0020000D')
        for (const one of await client.searchForSeries({ studyInstanceUID })) {
          const seriesInstanceUID = text(one, '0020000E')
          for (const instance of await client.searchForInstances({ studyInstanceUID, seriesInstanceUID }))
            all.push({ study: studyInstanceUID, series: seriesInstanceUID, instance })
        }
      }
      const some = studies.slice(0, 2).map((study) => text(study, '0020000D'))
      return {
        studies,
        all,
        list: (await client.searchForStudies({ queryParams: { StudyInstanceUID: some.join('\\') } })).length,
        ct: (await client.searchForStudies({ queryParams: { ModalitiesInStudy: 'CT' } })).length,
        name: (await client.searchForStudies({ queryParams: { PatientName: 'JANCT*' } })).length,
        none: await client.searchForStudies({ queryParams: { StudyInstanceUID: '1.2.3.4.5' } }),
      }
    })
    assert.equal(found.all.length, files.length)
    assert.deepEqual([found.list, found.ct, found.name, found.none], [2, 2, 1, []])
    for (const tag of ['0020000D', '00080020', '00080061', '00100010', '00100020', '00201206', '00201208'])
      for (const study of found.studies) assert.ok(study[tag], `OHIF needs ${tag}`)
    const known = new Map(
      found.all.map(({ study, series, instance }) => [
        String(instance['00080018']?.Value?.[0]),
        { studyInstanceUID: study, seriesInstanceUID: series, items: instance },
      ]),
    )
    all = files.map((file) => {
      const text = file.toString('latin1')
      const sop = [...known.keys()].find((uid) => text.includes(uid)) ?? ''
      const { studyInstanceUID = '', seriesInstanceUID = '', items = {} } = known.get(sop) ?? {}
      return { studyInstanceUID, seriesInstanceUID, sopInstanceUID: sop, items }
    })
    assert.equal(new Set(all.map(({ sopInstanceUID }) => sopInstanceUID)).size, files.length)
  })

  journey.step('describes them: of a study, a series, an instance', async () => {
    const told = await run(doctor, at(0), async ({ client }, at) => ({
      study: await client.retrieveStudyMetadata(at),
      series: await client.retrieveSeriesMetadata(at),
      instance: await client.retrieveInstanceMetadata(at),
    }))
    assert.deepEqual([told.study.length, told.series.length, told.instance.length], [3, 3, 1])
    const [one] = told.instance
    assert.equal(one?.['00080018']?.Value?.[0], at(0).sopInstanceUID)
    assert.equal(one?.['00280010']?.Value?.[0], 512)
    assert.match(one?.['7FE00010']?.BulkDataURI ?? '', /^http:.*\/bulkdata\/7FE00010$/)
  })

  journey.step('reads objects back, byte for byte but for the preamble', async () => {
    const read = await run(
      doctor,
      files.map((_, n) => at(n)),
      async ({ client, told }, all) => ({
        each: await Promise.all(all.map(async (at) => told(await client.retrieveInstance(at)))),
        series: await Promise.all((await client.retrieveSeries(all[0] as At)).map(told)),
        study: await Promise.all((await client.retrieveStudy(all[0] as At)).map(told)),
      }),
    )
    const sums = files.map((file) => sum(served(file)))
    assert.deepEqual(
      read.each.map((part) => part.sum),
      sums,
    )
    for (const some of [read.series, read.study])
      assert.deepEqual(some.map((part) => part.sum).sort(), sums.slice(0, 3).sort())
  })

  journey.step('reads frames: as samples, and as they are stored with their transfer syntax', async () => {
    const [ct, jls, rle] = [at(0), at(3), at(4)]
    const read = await run(doctor, { ct, jls, rle }, async ({ client, told }, { ct, jls, rle }) => {
      const frames = async (at: At, frameNumbers: string, mediaTypes?: object[]) =>
        Promise.all(
          (await client.retrieveInstanceFrames({ ...at, frameNumbers, ...(mediaTypes && { mediaTypes }) })).map(told),
        )
      return {
        samples: await frames(ct, '1'),
        stored: await frames(jls, '1', [{ mediaType: 'application/octet-stream', transferSyntaxUID: '*' }]),
        named: await frames(jls, '1', [{ mediaType: 'image/jls', transferSyntaxUID: '1.2.840.10008.1.2.4.80' }]),
        either: await frames(jls, '1', [
          { mediaType: 'image/jls', transferSyntaxUID: '1.2.840.10008.1.2.4.80' },
          { mediaType: 'application/octet-stream', transferSyntaxUID: '1.2.840.10008.1.2.1' },
        ]),
        decoded: await frames(jls, '1'),
        both: await frames(rle, '1,2'),
      }
    })
    const pixels = (files[0] as Buffer).subarray(-512 * 512 * 2)
    assert.deepEqual(
      read.samples.map((part) => part.sum),
      [sum(pixels)],
    )
    for (const way of ['stored', 'named', 'either'] as const) {
      const [part] = read[way]
      assert.deepEqual([part?.head.slice(0, 2), part?.syntax], [[0xff, 0xd8], '1.2.840.10008.1.2.4.80'], way)
    }
    assert.equal(read.decoded[0]?.size, 512 * 512 * 2)
    const [one, two] = read.both
    assert.deepEqual([read.both.length, one?.size, two?.size], [2, 100 * 100 * 3, 100 * 100 * 3])
    assert.notEqual(one?.sum, two?.sum)
  })

  journey.step('has pictures drawn: JPEG and PNG, of an instance, of a frame, in a window and a size', async () => {
    const read = await run(doctor, { ct: at(0), rle: at(4) }, async ({ client, told }, { ct, rle }) => {
      const first = async (wanted: Promise<[ArrayBuffer]>) => told((await wanted)[0])
      const jpeg = [{ mediaType: 'image/jpeg' }]
      return {
        any: await first(client.retrieveInstanceRendered(ct)),
        small: await first(
          client.retrieveInstanceRendered({ ...ct, mediaTypes: jpeg, queryParams: { viewport: '64,64' } }),
        ),
        window: await first(
          client.retrieveInstanceRendered({ ...ct, mediaTypes: jpeg, queryParams: { window: '-600,1500,linear' } }),
        ),
        png: await first(client.retrieveInstanceRendered({ ...ct, mediaTypes: [{ mediaType: 'image/png' }] })),
        frame: await first(client.retrieveInstanceFramesRendered({ ...rle, frameNumbers: '2', mediaTypes: jpeg })),
        thumbnail: await first(client.retrieveInstanceFramesThumbnail({ ...rle, frameNumbers: '1' })),
      }
    })
    for (const way of ['any', 'small', 'window', 'frame', 'thumbnail'] as const)
      assert.deepEqual(read[way].head.slice(0, 2), [0xff, 0xd8], way)
    assert.deepEqual(read.png.head, [0x89, 0x50, 0x4e, 0x47])
    assert.ok(read.small.size < read.any.size)
    assert.notEqual(read.window.sum, read.any.sum)
  })

  journey.step('fetches what the description points to: pixels, and the pages of a PDF', async () => {
    const read = await run(doctor, { ct: at(0), pdf: at(5) }, async ({ client, told }, { ct, pdf }) => {
      const uri = async (at: At, tag: string) => {
        const [items] = await client.retrieveInstanceMetadata(at)
        return items?.[tag]?.BulkDataURI ?? ''
      }
      const fetched = async (BulkDataURI: string, mediaTypes?: object[]) =>
        Promise.all((await client.retrieveBulkData({ BulkDataURI, ...(mediaTypes && { mediaTypes }) })).map(told))
      const document = await uri(pdf, '00420011')
      return {
        pixels: await fetched(await uri(ct, '7FE00010')),
        octets: await fetched(document),
        pdf: await fetched(document, [{ mediaType: 'application/pdf' }]),
      }
    })
    assert.deepEqual(
      read.pixels.map((part) => part.sum),
      [sum((files[0] as Buffer).subarray(-512 * 512 * 2))],
    )
    for (const way of ['octets', 'pdf'] as const)
      assert.equal(String.fromCharCode(...(read[way][0]?.head ?? [])), '%PDF', way)
    assert.equal(read.pdf[0]?.kind, 'application/pdf')
    assert.equal(read.pdf[0]?.sum, read.octets[0]?.sum)
  })

  journey.step('is told what went wrong; what is another hospital’s is not there', async () => {
    const failures = (who: Someone) =>
      run(who, at(0), async ({ client }, at) => {
        const failed = (deed: Promise<unknown>) =>
          deed.then(
            () => 'nothing',
            ({ status }: { status: number }) => status,
          )
        const unknown = { ...at, studyInstanceUID: '1.2.3.4.5' }
        return {
          study: await failed(client.retrieveStudyMetadata(unknown)),
          instance: await failed(client.retrieveInstance(unknown)),
          frame: await failed(client.retrieveInstanceFrames({ ...at, frameNumbers: '99' })),
          form: await failed(client.retrieveInstanceRendered({ ...at, mediaTypes: [{ mediaType: 'image/gif' }] })),
          key: await failed(client.searchForStudies({ queryParams: { NoSuchKeyword: 'x' } })),
          series: await failed(client.searchForSeries(unknown)),
          own: await failed(client.retrieveStudyMetadata(at)),
          list: (await client.searchForStudies({ queryParams: { limit: 100 } })).length,
        }
      })
    const mine = await failures(doctor)
    assert.deepEqual(mine, {
      study: 404,
      instance: 404,
      frame: 404,
      form: 406,
      key: 400,
      series: 404,
      own: 'nothing',
      list: 4,
    })
    const other = await journey.join('other', desk)
    await enterWorkspace(other.page, journey.person('陈慧'))
    await bring(other)
    const theirs = await failures(other)
    assert.deepEqual(
      [theirs.study, theirs.own, theirs.instance, theirs.frame, theirs.form, theirs.list],
      [404, 404, 404, 404, 404, 0],
    )
  })
})
