// Images from a modality through the agent: dcmtk's storescu sends by C-STORE, the agent keeps and drips, power is cut on
// either side, and in the end the archive holds each image once.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe } from 'node:test'
import { desk, phone } from './browser'
import { ask } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterWorkspace } from './people'
import { cine, type Slice, slices } from './slices'

const count = 40

const freePort = () =>
  new Promise<number>((done) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })

type State = {
  receiving: boolean
  queued: number
  refused: number
  unfinished: number
  sent: number
  online: boolean
  resting: boolean
  last_error: string
}

describe('images from a modality', { concurrency: 1 }, () => {
  const journey = new Journey('edge')
  let folder = ''
  let all: Slice[] = []
  let agent: ChildProcess | undefined
  let dicom = 0
  let page = ''

  const start = async (...more: string[]) => {
    page = `http://127.0.0.1:${await freePort()}`
    agent = spawn(
      resolve(process.env.YUANZHEN_BIN ?? '../bin/yuanzhen'),
      [
        ...['edge', journey.house.address, '--token', join(folder, 'token'), '--data', join(folder, 'data')],
        ...['--dicom-port', String(dicom), '--page', new URL(page).host, ...more],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    await state(({ receiving }) => receiving)
  }
  /** As when the power goes. */
  const crash = async () => {
    const gone = new Promise((done) => agent?.once('exit', done))
    agent?.kill('SIGKILL')
    await gone
  }
  const state = (fits: (state: State) => boolean, ms = 120_000): Promise<State> =>
    until(
      `the agent: ${fits}`,
      async () => {
        const answer = await fetch(`${page}/state.json`).catch(() => undefined)
        const now = (await answer?.json()) as State | undefined
        return now && fits(now) && now
      },
      ms,
    )
  /** The modality sends; what of it was not confirmed it will send again, as modalities do. */
  const storescu = (parts: string[]) =>
    new Promise<number>((done) => {
      const sender = spawn('storescu', ['-aec', 'YUANZHEN', '127.0.0.1', String(dicom), ...parts], { stdio: 'ignore' })
      sender.once('exit', (code) => done(code ?? 1))
    })
  const insist = (parts: string[]) =>
    until('the modality is rid of its images', async () => (await storescu(parts)) === 0, 120_000)
  const held = async () => {
    const studies = await ask<{ instances: number }[]>(
      journey.house,
      journey.person('赵志远'),
      'GET',
      '/imaging/studies',
    )
    return studies.reduce((sum, { instances }) => sum + instances, 0)
  }
  const files = (from: number, to: number) => all.slice(from, to).map((_, n) => join(folder, 'ct', `${from + n}.dcm`))

  after(async () => {
    agent?.kill('SIGTERM')
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  journey.step('the hospital’s administrator gives the agent a token, on a phone', async () => {
    folder = await mkdtemp(join(tmpdir(), 'yuanzhen-edge-'))
    const admin = await journey.join('administrator', phone)
    await enterWorkspace(admin.page, journey.person('周莉'))
    await admin.page.goto(`${journey.house.address}/staff/images`)
    await admin.page.getByLabel('新上限').fill('50')
    await admin.page.locator(t('set-quota')).click()
    await admin.page.getByText('上限 50 GB').waitFor()
    await admin.page.getByLabel('新前置机的名字').fill('CT 室')
    await admin.page.locator(t('make-device')).click()
    const token = (await admin.page.locator(t('token')).textContent()) ?? ''
    assert.ok(token.length > 50)
    await journey.shot(admin, '00-token')
    await writeFile(join(folder, 'token'), `${token}\n`)
    await admin.page.getByRole('button', { name: '已存好' }).click()
    await admin.page.locator(`${t('device')}[data-state=new]`).waitFor()
    assert.deepEqual([await overflow(admin.page), await violations(admin.page)], [0, []])
    await journey.shot(admin, '00-room', true)
  })

  journey.step('outside its hours the agent receives and keeps', async () => {
    await mkdir(join(folder, 'ct'))
    all = [await cine(), ...(await slices(count - 1))]
    for (const [n, { bytes }] of all.entries()) await writeFile(join(folder, 'ct', `${n}.dcm`), bytes)
    dicom = await freePort()
    // Closed from an hour ago to an hour ahead, whatever the hour is.
    const hour = (by: number) => `${String((new Date().getHours() + by + 24) % 24).padStart(2, '0')}:00`
    await start('--no-compress', '--hours', `${hour(2)}-${hour(3)}`) // the cine stays too large for one request
    await insist(files(0, 10))
    const now = await state(({ queued, resting }) => queued === 10 && resting)
    assert.equal(now.sent, 0)
    assert.equal(await held(), 0)
    const someone = await journey.join('technician', desk)
    await someone.page.goto(page)
    await someone.page.getByText('正在接收').waitFor()
    await journey.shot(someone, '01-resting')
  })

  journey.step(
    'power goes while it receives, and while it sends: nothing is lost, nothing is there twice',
    async () => {
      await crash()
      await start('--rate', '4000') // slow enough that a queue stands at each cut, however slow the modality is
      let cut = false
      const receiving = (async () => {
        while (!cut) if ((await storescu(files(10, count))) === 0) break
      })()
      await state(({ queued, sent }) => queued + sent > 12)
      cut = true
      await crash()
      await receiving
      await start('--rate', '4000')
      await insist(files(10, count)) // all of it again: what had arrived is known
      await state(({ sent }) => sent > 2)
      await crash()
      await start('--rate', '4000')
      await state(({ queued, online }) => queued > 2 && online)
    },
  )

  journey.step('the platform is away and comes back', async () => {
    await journey.house.crash()
    await state(({ online, last_error }) => !online && last_error !== '')
    const someone = await journey.join('phone', phone)
    await someone.page.goto(page)
    await someone.page.getByText('影像都在本机').waitFor()
    await journey.shot(someone, '02-away')
    await journey.house.start()
    await state(({ online }) => online)
    await crash()
    await start() // the rest at full speed
    const now = await state(({ queued }) => queued === 0, 240_000)
    assert.deepEqual([now.refused, now.unfinished], [0, 0])
    assert.equal(await held(), count)
    assert.deepEqual(await readdir(join(folder, 'data', 'queue')), [])
    const { session } = journey.person('赵志远')
    const list = await journey.house.call(session, 'GET', '/dicomweb/instances?limit=200')
    const uids = (list.body as Record<string, { Value?: unknown[] }>[]).map((one) =>
      String(one['00080018']?.Value?.[0]),
    )
    assert.deepEqual(uids.sort(), all.map(({ sop }) => sop).sort())
    console.log(`${count} images through the agent, three power cuts here and one there: ${uids.length} in the archive`)
  })
})
