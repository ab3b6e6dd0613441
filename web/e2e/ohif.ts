// OHIF, whole and as its makers publish it, reads from the archive: run by tools/ohif.sh, which brings it. It stands on an origin
// of its own and asks the house's /dicomweb itself, with the session of a doctor as its bearer token.
import assert from 'node:assert/strict'
import { createReadStream, existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { after, describe } from 'node:test'
import type { Page } from 'playwright-core'
import { reading, type Someone } from './browser'
import { store } from './errands'
import { until } from './house'
import { Journey } from './journey'
import { slices } from './slices'

const dist = process.env.OHIF_DIST ?? ''
const types: Record<string, string> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
}
const many = 20

/** Settings of OHIF for an archive under /dicomweb of the house. */
const config = (house: string) =>
  `window.config = ${JSON.stringify({
    routerBasename: '/',
    extensions: [],
    modes: [],
    showStudyList: true,
    maxNumberOfWebWorkers: 2,
    showCPUFallbackMessage: false,
    showLoadingIndicator: true,
    strictZSpacingForVolumeViewport: true,
    defaultDataSourceName: 'yuanzhen',
    dataSources: [
      {
        namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
        sourceName: 'yuanzhen',
        configuration: {
          friendlyName: 'Yuanzhen',
          name: 'yuanzhen',
          qidoRoot: `${house}/dicomweb`,
          wadoRoot: `${house}/dicomweb`,
          wadoUriRoot: `${house}/dicomweb`,
          qidoSupportsIncludeField: true,
          imageRendering: 'wadors',
          thumbnailRendering: 'wadors',
          enableStudyLazyLoad: true,
          supportsFuzzyMatching: true,
          supportsWildcard: true,
          staticWado: false,
          singlepart: 'bulkdata,video',
          bulkDataURI: { enabled: true },
        },
      },
    ],
  })}`

describe('OHIF', { concurrency: 1 }, () => {
  const journey = new Journey('ohif')
  let server: Server
  let origin = ''
  let reader: Someone
  let study = ''
  const refused: string[] = []
  after(() => server?.close())

  const serve = async () => {
    server = createServer((asked, answer) => {
      const { pathname } = new URL(asked.url ?? '/', 'http://localhost')
      answer.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
      answer.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
      if (pathname === '/app-config.js') {
        answer.setHeader('Content-Type', 'text/javascript')
        answer.end(config(journey.house.address))
        return
      }
      const file = join(dist, normalize(pathname))
      const found = extname(file) && existsSync(file) ? file : join(dist, 'index.html')
      answer.setHeader('Content-Type', types[extname(found)] ?? 'application/octet-stream')
      createReadStream(found).pipe(answer)
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  }

  /** Greys of the picture on the screen: their least and greatest, and how many differ. */
  const greys = async (page: Page) => {
    const picture = await page.locator('.cornerstone-canvas').first().screenshot()
    return page.evaluate(async (bytes) => {
      const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${bytes}`)).blob())
      const canvas = new OffscreenCanvas(image.width, image.height)
      const context = canvas.getContext('2d')
      context?.drawImage(image, 0, 0)
      const { data } = context?.getImageData(0, 0, image.width, image.height) ?? { data: new Uint8ClampedArray() }
      const values = new Set<number>()
      for (let at = 0; at < data.length; at += 4) values.add(data[at] ?? 0)
      return values.size
    }, picture.toString('base64'))
  }

  journey.step('the study list shows what the doctor may see', async () => {
    assert.ok(existsSync(join(dist, 'index.html')), 'no OHIF in OHIF_DIST')
    const doctor = journey.person('赵志远')
    study = await store(
      journey.house,
      doctor,
      (await slices(many)).map(({ bytes }) => bytes),
    )
    await store(journey.house, doctor, [await readFile('../storage/imaging/testdata/mr-series/brain_010.dcm')])
    await serve()
    reader = await journey.join('reader', reading, origin)
    const { page } = reader
    // OHIF takes the token from whatever signs its user in; here it is put on what it asks of the house.
    await page.addInitScript(
      ({ house, session }) => {
        const send = XMLHttpRequest.prototype.send
        const open = XMLHttpRequest.prototype.open
        const asked = new WeakMap<XMLHttpRequest, string>()
        XMLHttpRequest.prototype.open = function (this: XMLHttpRequest, ...all: unknown[]) {
          asked.set(this, String(all[1]))
          return Reflect.apply(open, this, all)
        }
        XMLHttpRequest.prototype.send = function (
          this: XMLHttpRequest,
          body?: XMLHttpRequestBodyInit | Document | null,
        ) {
          if (asked.get(this)?.startsWith(house)) this.setRequestHeader('Authorization', `Bearer ${session}`)
          send.call(this, body)
        }
        const { fetch } = globalThis
        globalThis.fetch = (asked, how) => {
          if (!(asked instanceof Request ? asked.url : String(asked)).startsWith(house)) return fetch(asked, how)
          const headers = new Headers(how?.headers ?? (asked instanceof Request ? asked.headers : undefined))
          headers.set('Authorization', `Bearer ${session}`)
          return fetch(asked, { ...how, headers })
        }
      },
      { house: journey.house.address, session: doctor.session },
    )
    page.on('response', (response) => {
      if (response.status() >= 400 && response.url().startsWith(journey.house.address))
        refused.push(`${response.status()} ${response.request().method()} ${response.url()}`)
    })
    page.on('requestfailed', (request) => {
      if (request.url().startsWith(journey.house.address) && request.failure()?.errorText !== 'net::ERR_ABORTED')
        refused.push(`${request.failure()?.errorText} ${request.method()} ${request.url()}`)
    })
    page.on('console', (message) => message.type() === 'error' && console.log(`OHIF: ${message.text().slice(0, 300)}`))
    await page.goto('/')
    await page.getByText('JANCT000').first().waitFor({ timeout: 120_000 })
    await journey.shot(reader, '01-list')
  })

  journey.step('the CT opens and is drawn', async () => {
    const { page } = reader
    await page.goto(`/viewer?StudyInstanceUIDs=${study}`)
    await page.locator('.cornerstone-canvas').first().waitFor({ timeout: 120_000 })
    const shades = await until(
      'a picture that is not of one grey',
      async () => {
        const shades = await greys(page).catch(() => 0)
        return shades > 50 && shades
      },
      120_000,
    )
    console.log(`OHIF draws the CT in ${shades} greys`)
    await journey.shot(reader, '02-ct')
  })

  journey.step('the wheel shows another slice; nothing that OHIF asked for was refused', async () => {
    const { page } = reader
    const before = await page.locator('.cornerstone-canvas').first().screenshot()
    await page.locator('.cornerstone-canvas').first().hover()
    for (let n = 0; n < 5; n++) await page.mouse.wheel(0, 120)
    await until(
      'another picture',
      async () => !(await page.locator('.cornerstone-canvas').first().screenshot()).equals(before),
      60_000,
    )
    await journey.shot(reader, '03-scrolled')
    assert.deepEqual(refused, [])
  })
})
