// How a visit fares over bad lines: run by tools/line.sh, which says where the browsers live. Not a test: it prints a table.
import { connect } from 'node:net'
import { type Browser, chromium, type Page } from 'playwright-core'
import { args, desk, executable, phone, someone } from './browser'
import { book, checkIn } from './errands'
import { House, until } from './house'
import { counts, watchMedia } from './media'
import { cast, enterByPhone, enterWorkspace } from './people'

const lines = process.argv.slice(2)
if (lines.length === 0)
  lines.push(
    '',
    'rate=256000 delay=50ms loss=0.02',
    'rate=64000 delay=50ms loss=0',
    'rate=64000 delay=200ms loss=0.05',
    'rate=64000 delay=200ms loss=0.1',
    'rate=64000 delay=200ms loss=0.2',
    'rate=32000 delay=200ms loss=0.05',
    'rate=32000 delay=200ms loss=0.1',
    'rate=32000 delay=200ms loss=0.2',
    'rate=64000 delay=400ms loss=0.1',
  )
const waits = 15_000 // ms that the patient waits on that line before being admitted
const settle = 30_000 // ms after the first sound: the ladder has found its rung
const measured = 60_000 // ms

const control = process.env.LINE_CONTROL ?? ''
const setLine = (settings: string) =>
  new Promise<void>((done, fail) => {
    const socket = connect(control, () => socket.write(`${settings}\n`))
    socket.once('error', fail).once('data', (answer) => {
      socket.end()
      if (String(answer).trim() === 'ok') done()
      else fail(new Error(String(answer)))
    })
  })

/** The sound that came in, in samples, and how much of it was made up for lost packets. */
type Heard = { total: number; concealed: number; lost: number; received: number; bytes: number; frames: number }

const heard = (page: Page): Promise<Heard> =>
  page.evaluate(async () => {
    const sum = { total: 0, concealed: 0, lost: 0, received: 0, bytes: 0, frames: 0 }
    const { keptPeers } = globalThis as unknown as { keptPeers: RTCPeerConnection[] }
    for (const peer of keptPeers) {
      if (peer.connectionState === 'closed') continue
      ;(await peer.getStats()).forEach((one: Record<string, unknown>) => {
        if (one.type !== 'inbound-rtp') return
        sum.bytes += Number(one.bytesReceived ?? 0) + Number(one.headerBytesReceived ?? 0)
        sum.frames += Number(one.framesDecoded ?? 0)
        if (one.kind !== 'audio') return
        sum.total += Number(one.totalSamplesReceived ?? 0)
        sum.concealed += Number(one.concealedSamples ?? 0) - Number(one.silentConcealedSamples ?? 0)
        sum.lost += Number(one.packetsLost ?? 0)
        sum.received += Number(one.packetsReceived ?? 0)
      })
    }
    return sum
  })

/** Counts the stills that a page shows. */
const watchStills = (page: Page) =>
  page.evaluate(() => {
    const shown = new Set<string>()
    Object.assign(globalThis, { shownStills: shown })
    const look = () => {
      for (const image of document.querySelectorAll<HTMLImageElement>('[data-test=still]')) shown.add(image.src)
    }
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true })
  })
const stills = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as { shownStills: Set<string> }).shownStills.size)

/** Sound has come, and the page plays it. */
const sounds = (page: Page) =>
  until(
    'sound',
    async () =>
      (await counts(page)).energy.some((n) => n > 0) &&
      (await page.evaluate(() =>
        [...document.querySelectorAll('video')].some(
          ({ muted, srcObject }) => !muted && srcObject instanceof MediaStream && srcObject.getAudioTracks().length > 0,
        ),
      )),
    60_000,
  )

function told(before: Heard, after: Heard, seconds: number): string[] {
  const part = (n: number, of: number) => (of > 0 ? `${((100 * n) / of).toFixed(1)} %` : '–')
  const lost = after.lost - before.lost
  return [
    part(after.concealed - before.concealed, after.total - before.total),
    part(lost, lost + after.received - before.received),
    `${Math.round(((after.bytes - before.bytes) * 8) / seconds / 1000)}`,
    `${((after.frames - before.frames) / seconds).toFixed(1)}`,
  ]
}

const launched: Browser[] = []
const start = async (path: string, address: string) => {
  const browser = await chromium.launch({
    executablePath: path,
    args: [...args, `--unsafely-treat-insecure-origin-as-secure=${address}`],
  })
  launched.push(browser)
  return browser
}

const house = await House.open()
try {
  const person = await cast(house)
  const [wang, zhang] = [person('王秀英'), person('张建国')]
  const doctor = await someone(await start(executable(), house.address), desk, house.address)
  await watchMedia(doctor.context)
  await enterWorkspace(doctor.page, zhang)
  console.log(
    '| line | first sound, s: patient, doctor | patient: concealed | lost | kbit/s | frames/s | stills | doctor: concealed | lost | kbit/s | frames/s | stills |',
  )
  console.log('|---|---|---|---|---|---|---|---|---|---|---|---|')
  for (const settings of lines) {
    await setLine('')
    const visit = await book(house, wang, person('孙丽'))
    const patient = await someone(
      await start(process.env.PATIENT_CHROMIUM ?? executable(), house.address),
      phone,
      house.address,
    )
    await watchMedia(patient.context)
    patient.page.setDefaultTimeout(60_000)
    await enterByPhone(patient.page, wang.sign_in.phone ?? '')
    await checkIn(house, wang, visit)
    await patient.page.goto(`/visits/${visit}`)
    await patient.page.waitForSelector('[data-test=place]')
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.waitForSelector('[data-test=chart]')
    const pages = [patient.page, doctor.page] as const
    await Promise.all(pages.map(watchStills))
    await setLine(settings)
    await new Promise((done) => setTimeout(done, waits))
    const pressed = Date.now()
    await doctor.page.keyboard.press('F2')
    const first = await Promise.all(
      pages.map((page) =>
        sounds(page).then(
          () => ((Date.now() - pressed) / 1000).toFixed(1),
          () => 'none in 60',
        ),
      ),
    )
    await new Promise((done) => setTimeout(done, settle))
    const before = await Promise.all(pages.map(heard))
    const shown = await Promise.all(pages.map(stills))
    await new Promise((done) => setTimeout(done, measured))
    const after = await Promise.all(pages.map(heard))
    const now = await Promise.all(pages.map(stills))
    const figures = pages.map((_, i) => [
      ...told(before[i] as Heard, after[i] as Heard, measured / 1000),
      String((now[i] ?? 0) - (shown[i] ?? 0)),
    ])
    console.log(`| ${settings || 'clear'} | ${first.join(', ')} | ${figures.flat().join(' | ')} |`)
    await setLine('')
    await house.call(zhang.session, 'POST', `/api/v1/visits/${visit}/end`, {})
    await patient.context.browser()?.close()
  }
} finally {
  await Promise.all(launched.map((browser) => browser.close()))
  await house.close()
}
