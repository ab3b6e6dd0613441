// An expert consult from the request to the lapse of the expert's right: county doctor, coordinator, expert and patient,
// each with a browser of their own, on a running platform and its object store.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'node:test'
import { desk, phone, reading, type Someone } from './browser'
import { lengthOf, lengthsOf, marksOf, size, sweep } from './drawing'
import { until } from './house'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { type Counts, counts, flowing, throughServer } from './media'
import { enterByPhone, enterWorkspace, signWith } from './people'
import { reportedLengths } from './reported'
import { slices, source } from './slices'

const many = 100

/** A slice with a number of its own whose transfer broke off: what a bad disk gives. */
function cutOff(slice: Buffer): Buffer {
  const text = slice.toString('latin1')
  const [number = ''] = /\d[\d.]{20,}/.exec(text.slice(text.indexOf('\x08\x00\x18\x00'))) ?? []
  assert.ok(number.length > 20, 'the slice has an SOP instance UID')
  const other = number.slice(0, -1) + ((Number(number.at(-1)) + 1) % 10)
  return Buffer.from(text.replaceAll(number, other), 'latin1').subarray(0, Math.floor(slice.length * 0.6))
}

describe('an expert consult', { concurrency: 1 }, () => {
  const journey = new Journey('teleconsult')
  let county: Someone
  let coordinator: Someone
  let expert: Someone
  let patient: Someone
  let son: Someone
  let study = ''
  let one = '' // the consult
  let early: { url?: string; ticket?: string } // a ticket of the expert's from before the end

  const images = async (who: string) => {
    const { session } = journey.person(who)
    return (await journey.house.call(session, 'GET', `/dicomweb/studies/${study}/metadata`)).status
  }
  /** What every way to the images, and to what was drawn and said over them, answers; the zip archive, frames and previews among them. */
  const ways = async (who: string) => {
    const { session } = journey.person(who)
    const at = `/dicomweb/studies/${study}`
    const { body } = await journey.house.call(journey.person('赵志远').session, 'GET', `${at}/metadata`)
    const [first] = body as Record<string, { Value?: string[] }>[]
    const series = `${at}/series/${first?.['0020000E']?.Value?.[0]}`
    const image = `${series}/instances/${first?.['00080018']?.Value?.[0]}`
    const paths = [
      ...[at, `${at}?accept=application/zip`, `${at}/metadata`, `${at}/thumbnail`, series, `${series}/metadata`],
      ...[image, `${image}/frames/1`, `${image}/rendered`, `${image}/frames/1/rendered`, `${image}/thumbnail`],
      ...[`${image}/bulkdata/7FE00010`, `/api/v1/teleconsults/${one}/marks`, `/api/v1/teleconsults/${one}/shown`],
    ]
    const all = await Promise.all(paths.map((path) => journey.house.call(session, 'GET', path)))
    const search = await journey.house.call(session, 'GET', `/dicomweb/studies?StudyInstanceUID=${study}`)
    return { statuses: [...new Set(all.map(({ status }) => status))], found: (search.body as unknown[] | '')?.length }
  }
  const ticket = async (who: string) => {
    const { session } = journey.person(who)
    const { status, body } = await journey.house.call(session, 'POST', `/api/v1/teleconsults/${one}/ticket`)
    return { status, ...(body as { url?: string; ticket?: string }) }
  }
  /** What the room's socket says first to who comes with a ticket. */
  const knock = ({ page }: Someone, entry: { url?: string; ticket?: string }): Promise<string> =>
    page.evaluate(
      ({ url = '', ticket }) =>
        new Promise<string>((said) => {
          const socket = new WebSocket(new URL(url, location.href).href.replace(/^http/, 'ws'))
          socket.onopen = () => socket.send(JSON.stringify({ type: 'join', version: 1, ticket }))
          socket.onmessage = ({ data }) => {
            const { type, code } = JSON.parse(String(data)) as { type: string; code?: string }
            said(code ? `${type} ${code}` : type)
            socket.close()
          }
          socket.onclose = () => said('hung up')
        }),
      entry,
    )
  const shown = async (one: Someone) => {
    await one.page.waitForSelector(`${t('viewer')}[data-drawn=true]`)
    return (await one.page.getAttribute(t('viewer'), 'data-sop')) ?? ''
  }

  journey.step('the county doctor writes the request', async () => {
    county = await journey.join('county', desk)
    const { page } = county
    await enterWorkspace(page, journey.person('赵志远'))
    await page.click('a[href="/staff/cases"]')
    await page.click(t('new-request'))
    await page.fill(t('patient'), '周')
    await page.locator('[role=option]', { hasText: '周大山' }).click()
    await page.getByLabel('会诊科室').selectOption('放射科')
    await page.fill('textarea[name=question]', '右上叶结节是什么性质？要不要穿刺？')
    await page.fill('textarea[name=summary]', '58 岁男，咳嗽 3 周，无发热，吸烟 30 年。胸部 CT 见右上叶结节。')
    await journey.shot(county, '01-request')
    await page.click(t('save-request'))
    await page.waitForSelector(`${t('case-page')}[data-state=draft]`)
    one = new URL(page.url()).pathname.split('/')[3] ?? ''
    assert.ok(await page.isDisabled(t('submit-request')), 'not without images and consent')
    const missing = () => page.locator(`${t('missing')} li`).allTextContents()
    assert.deepEqual(await missing(), ['目前诊断', '影像或检验结果', '病人同意'])
    await journey.shot(county, '01a-missing', true)
    assert.deepEqual(await violations(page), [])
    await page.fill('input[name=diagnosis]', '右上叶结节待查')
    await page.click(t('save-edit'))
    await until('the diagnosis is there', async () => (await missing()).length === 2)
  })

  journey.step(
    'uploads the CT series with progress and receipt; a corrupt file is named and harms nothing',
    async () => {
      const { page } = county
      const folder = await mkdtemp(join(tmpdir(), 'yuanzhen-ct-'))
      const good = (await slices(many)).map(({ bytes }, i) => ({ name: `${i + 1}.dcm`, bytes }))
      const bad = { name: '坏了.dcm', bytes: cutOff(await readFile(source)) }
      const files = [...good.slice(0, 2), bad, ...good.slice(2), { name: '说明.txt', bytes: '不是影像' }]
      await Promise.all(files.map(({ name, bytes }) => writeFile(join(folder, name), bytes)))
      // The third request waits until the progress after two was seen.
      let sent = 0
      let seen = () => {}
      const looked = new Promise<void>((done) => {
        seen = done
      })
      await page.route(/\/dicomweb\/studies(\?|$)/, async (route) => {
        if (++sent === 3) await looked
        await route.continue()
      })
      await page.setInputFiles(
        t('files'),
        files.map(({ name }) => join(folder, name)),
      )
      await page.locator(t('progress'), { hasText: '已传 2/101 张' }).waitFor()
      await journey.shot(county, '02-uploading')
      seen()
      await page.waitForSelector(`${t('upload')}[data-at=done]`)
      await rm(folder, { recursive: true })
      const receipt = (await page.textContent(t('upload'))) ?? ''
      assert.match(receipt, /已收齐 100 张，和原件一致/)
      assert.match(receipt, /坏了\.dcm/)
      assert.match(receipt, /说明\.txt/)
      await journey.shot(county, '03-receipt', true)
      await page.click(t('confirm-study'))
      await page.waitForSelector(t('attached'))
      const studies = await journey.house.call(journey.person('赵志远').session, 'GET', '/api/v1/imaging/studies')
      const [one] = studies.body as { study_uid: string; instances: number }[]
      assert.equal(one?.instances, many)
      study = one?.study_uid ?? ''
    },
  )

  journey.step('records the patient’s consent and submits', async () => {
    const { page } = county
    await page.click(t('consent'))
    await page.click(`${t('submit-request')}:not([disabled])`)
    await page.waitForSelector(`${t('case-page')}[data-state=submitted]`)
    await page.waitForSelector(t('clock'))
    await journey.shot(county, '04-submitted')
    assert.equal(await images('李明远'), 404, 'nobody was asked yet')
    assert.deepEqual(await ways('李明远'), { statuses: [404], found: 0 }, 'on no way')
  })

  journey.step('the coordinator assigns an expert at a time free at all the places', async () => {
    coordinator = await journey.join('coordinator', desk)
    const { page } = coordinator
    await enterWorkspace(page, journey.person('孙丽'))
    await page.click('a[href="/staff/board"]')
    await page.locator(t('case'), { hasText: '周大山' }).click()
    await page.click(t('ask-more'))
    await page.fill('textarea[name=ask-more]', '有没有去年的 CT？')
    await page.click(t('ask-more-go'))
    await page.waitForSelector(`${t('case-page')}[data-state=needs_info]`)
    await county.page.getByText('对方要补：有没有去年的 CT？').waitFor()
    await journey.shot(county, '04a-more-asked-for', true)
    assert.deepEqual(await violations(county.page), [])
    await county.page.click(t('answer'))
    await county.page.fill('textarea[name=answer]', '没有做过。')
    await county.page.click(t('answer-go'))
    await page.waitForSelector(`${t('case-page')}[data-state=submitted]`)
    await page.getByText('已补：没有做过。').waitFor()
    await page.click(t('triage'))
    await page.waitForSelector(`${t('case-page')}[data-state=triaged]`)
    await page.locator(t('expert'), { hasText: '李明远' }).click()
    await page.waitForSelector(t('assign'))
    await journey.shot(coordinator, '05-board', true)
    assert.deepEqual(await violations(page), [])
    await page.locator(t('assign')).first().click()
    await page.waitForSelector(`${t('case-page')}[data-state=scheduled]`)
    await journey.shot(coordinator, '06-assigned')
    await county.page.waitForSelector(`${t('case-page')}[data-state=scheduled]`)
    assert.deepEqual(await ways('李明远'), { statuses: [200], found: 1 }, 'the expert may see the images now')
  })

  journey.step('the patient is invited and finds the consult on the first page', async () => {
    await county.page.getByText('请病人一起进来').click()
    await county.page.getByText('已请病人').waitFor()
    await journey.shot(county, '07-scheduled')
    patient = await journey.join('patient', phone)
    const { page } = patient
    await enterByPhone(page, journey.person('周大山').sign_in.phone ?? '')
    await page.waitForSelector(t('consult-card'))
    await journey.shot(patient, '08-patient-home')
    await page.click(t('consult-card'))
    await page.waitForSelector(t('enter-consult'))
    await journey.shot(patient, '09-patient-before')
  })

  journey.step('three meet in the room; each sees and hears the two others through the server', async () => {
    expert = await journey.join('expert', reading)
    await enterWorkspace(expert.page, journey.person('李明远'))
    await expert.page.click('a[href="/staff/cases"]')
    await expert.page.locator(t('case'), { hasText: '周大山' }).click()
    await expert.page.waitForSelector(t('enter-room'))
    await journey.shot(expert, '10-expert-case')
    const began = Date.now()
    await Promise.all([
      expert.page.click(t('enter-room')),
      county.page.click(t('enter-room')),
      patient.page.click(t('enter-consult')),
    ])
    const all = await Promise.all([expert, county, patient].map(({ page }) => flowing(page, 2, 60_000)))
    console.log(`three in the room, all flowing and growing: ${Date.now() - began} ms`)
    const figures = ({ frames, energy, rtt }: Counts) =>
      `${frames} frames decoded, energy ${energy.map((e) => e.toFixed(4))}, round trip ${rtt} ms`
    ;['expert', 'county', 'patient'].forEach((who, i) => {
      console.log(`${who}: ${figures(all[i] as Counts)}`)
    })
    throughServer(journey.house, all)
    await journey.shot(patient, '11-patient-call')
  })

  journey.step('words reach everybody in the room', async () => {
    const { page } = county
    await page.click(t('chat-key'))
    await page.fill('textarea[name=message]', '患者吸烟 30 年')
    await page.click(t('chat-send'))
    await patient.page.getByText('文字（1 条新）').click()
    await patient.page.locator(t('message')).getByText('患者吸烟 30 年').waitFor()
    await patient.page.keyboard.press('Escape')
    await expert.page.getByText('文字（1 条新）').click()
    await expert.page.locator(t('message')).getByText('患者吸烟 30 年').waitFor()
    await journey.shot(county, '11a-words')
    assert.deepEqual(await violations(page), [])
    await page.click(t('chat-key'))
    await expert.page.click(t('chat-key'))
  })

  journey.step('an observer comes by link, is let in, sees and hears three, and reads no name', async () => {
    await county.page.click(t('more'))
    await county.page.click(t('invite-observer'))
    const link = ((await county.page.textContent(t('link'))) ?? '').trim()
    await county.page.keyboard.press('Escape')
    const observer = await journey.join('observer', phone)
    const { page } = observer
    await page.goto(link)
    await page.fill('input[name=name]', '进修医生陈')
    await page.click(t('join-go'))
    await page.waitForSelector(`${t('observe')}[data-phase=waiting]`)
    await county.page.getByText('进修医生陈（旁听）在门外等').waitFor()
    await journey.shot(county, '11b-observer-knocks')
    await county.page.click(t('admit-companion'))
    await page.waitForSelector(`${t('observe')}[data-phase=live]`)
    await until('three are seen and heard', async () => {
      const { frames, energy } = await counts(page)
      return frames.filter((n) => n > 5).length >= 3 && energy.filter((n) => n > 0).length >= 3
    })
    await journey.shot(observer, '11c-observer')
    assert.deepEqual(await violations(page), [])
    const text = (await page.textContent('body')) ?? ''
    for (const name of ['周大山', '李明远', '赵志远']) assert.ok(!text.includes(name), `the observer reads ${name}`)
    await patient.page.click(t('more'))
    await patient.page.getByText('进修医生陈（旁听）').waitFor()
    await patient.page.keyboard.press('Escape')
    await county.page.click(t('remove-companion'))
    await page.waitForSelector(`${t('observe')}[data-phase=ended]`)
    await page.goto('about:blank')
  })

  journey.step('the patient’s son comes by link and is let in; the locked door keeps a new face out', async () => {
    const invited = async () => {
      await patient.page.click(t('more'))
      await patient.page.click(t('invite-companion'))
      const link = ((await patient.page.textContent(t('link'))) ?? '').trim()
      await patient.page.keyboard.press('Escape')
      return link
    }
    const arrive = async (who: string, link: string, name: string) => {
      const one = await journey.join(who, phone)
      await one.page.goto(link)
      await one.page.fill('input[name=name]', name)
      await one.page.click(t('join-go'))
      return one
    }
    son = await arrive('son', await invited(), '周小军')
    await son.page.waitForSelector(`${t('seat')}[data-phase=waiting]`)
    await journey.shot(son, '11d-son-outside')
    await expert.page.getByText('周小军（家属）在门外等').waitFor()
    await journey.shot(expert, '11e-son-knocks')
    assert.deepEqual(await violations(expert.page), [])
    await expert.page.click(t('admit-companion'))
    await flowing(son.page, 3, 60_000)
    await journey.shot(son, '11f-son-inside')

    const link = await invited()
    await county.page.click(t('lock'))
    await expert.page.locator(t('host-door')).getByText('门锁着').waitFor()
    const neighbour = await arrive('neighbour', link, '邻居')
    await neighbour.page.getByText('医生锁上了诊室').waitFor()
    await journey.shot(neighbour, '11g-locked')
    await neighbour.page.goto('about:blank')
    await county.page.click(t('lock'))
  })

  journey.step('it is recorded once all four have agreed, with a red light, until the patient stops it', async () => {
    await county.page.click(t('tape-ask'))
    await patient.page.waitForSelector(t('consent'))
    await journey.shot(patient, '11h-consent')
    assert.deepEqual(await violations(patient.page), [])
    for (const one of [expert, patient]) await one.page.click(t('consent-yes'))
    await county.page.locator(t('tape'), { hasText: '周大山' }).waitFor()
    assert.equal(await county.page.locator(t('red-light')).count(), 0, 'the son has not agreed')
    await son.page.click(t('consent-yes'))
    const all = [county, expert, patient, son].map(({ page }) => page)
    await Promise.all(all.map((page) => page.waitForSelector(t('red-light'))))
    for (const { page } of [expert, county]) await page.waitForSelector(`${t('tape')}[data-state=running]`)
    await journey.shot(expert, '11i-red-light')
    await journey.shot(patient, '11j-red-light-patient')
    for (const { page } of [expert, patient]) assert.deepEqual(await violations(page), [])
    const recording = `/api/v1/teleconsults/${new URL(county.page.url()).pathname.split('/')[3]}/recording`
    await until(
      'each of the four is written down',
      async () => {
        const { body } = await journey.house.call(journey.person('赵志远').session, 'GET', recording)
        const { takes } = body as { takes: { seat: string; length_ms: number }[] }
        return new Set(takes.filter((take) => take.length_ms > 3000).map((take) => take.seat)).size === 4
      },
      90_000,
    )
    await patient.page.click(t('more'))
    await patient.page.click(t('tape-stop'))
    await patient.page.keyboard.press('Escape')
    await Promise.all(all.map((page) => page.locator(t('red-light')).waitFor({ state: 'detached' })))
    await son.page.goto('about:blank') // leaves
  })

  journey.step(
    'both doctors look at the same slice: the presenter scrolls and windows, the other follows',
    async () => {
      await Promise.all([shown(expert), shown(county)])
      const { page } = expert
      await page.click(t('lead'))
      await county.page.locator(t('leader'), { hasText: '李明远' }).waitFor()
      const seen = new Set<string>()
      for (const [index, key] of [
        [0, 'Home'],
        [1, 'ArrowDown'],
        [2, 'ArrowDown'],
        [many - 1, 'End'],
      ] as const) {
        await page.locator(t('viewport')).press(key)
        await page.waitForSelector(`${t('viewer')}[data-index="${index}"][data-drawn=true]`)
        const wanted = await shown(expert)
        await until(`the follower on slice ${index + 1}`, async () => (await shown(county)) === wanted)
        seen.add(wanted)
      }
      assert.equal(seen.size, 4, 'four different slices were shown to both')
      await page.click(t('preset-lung'))
      const lung = `${t('viewer')}[data-window="1500/-600"]`
      await Promise.all([page.waitForSelector(lung), county.page.waitForSelector(lung)])
    },
  )

  journey.step('the presenter’s pointer stands on the same anatomy in a window of another shape', async () => {
    const { page } = expert
    await page.click(t('tool-point'))
    const box = await page.locator(`${t('viewport')} .canvas`).boundingBox()
    assert.ok(box)
    const fit = Math.min(box.width, box.height) / size // pixels of the screen a pixel of the image, at zoom 1
    const wanted = { x: 150, y: 200 }
    const at = {
      x: box.x + box.width / 2 + (wanted.x - size / 2) * fit,
      y: box.y + box.height / 2 + (wanted.y - size / 2) * fit,
    }
    await page.mouse.move(at.x - 40, at.y - 40)
    await page.mouse.move(at.x, at.y, { steps: 8 })
    const found = await until('the pointer at rest at the county hospital', async () => {
      return county.page.evaluate(() => {
        const pointer = document.querySelector<HTMLElement>('[data-test=pointer]')
        const canvas = document.querySelector('[data-test=viewport] .canvas')?.getBoundingClientRect()
        const { x, y } = pointer?.dataset ?? {}
        if (!pointer || !canvas || Math.abs(Number(x) - 150) > 1) return undefined
        return {
          said: { x: Number(x), y: Number(y) },
          left: Number.parseFloat(pointer.style.left),
          top: Number.parseFloat(pointer.style.top),
          width: canvas.width,
          height: canvas.height,
          name: pointer.textContent ?? '',
        }
      })
    })
    const own = Math.min(found.width, found.height) / size
    const drawn = {
      x: size / 2 + (found.left - found.width / 2) / own,
      y: size / 2 + (found.top - found.height / 2) / own,
    }
    console.log(
      `pointer wanted ${JSON.stringify(wanted)}, said ${JSON.stringify(found.said)}, drawn ${JSON.stringify(drawn)}`,
    )
    assert.match(found.name, /李明远/)
    for (const axis of ['x', 'y'] as const) {
      assert.ok(Math.abs(found.said[axis] - wanted[axis]) <= 1, `said ${axis} ${found.said[axis]}`)
      assert.ok(Math.abs(drawn[axis] - wanted[axis]) <= 1, `drawn ${axis} ${drawn[axis]}`)
    }
    await page.mouse.move(at.x + 2, at.y)
    await county.page.waitForSelector(t('pointer'))
    await journey.shot(county, '12-county-follows')
    await journey.shot(expert, '13-expert-presents')
  })

  journey.step('a length that the expert draws stands on both screens, with the same millimetres', async () => {
    await expert.page.click(t('tool-length'))
    await sweep(expert, [150, 250], [250, 250])
    await county.page.locator(`${t('mark')}:not(.draft)`, { hasText: lengthOf(100) }).waitFor()
    await until('the same marks', async () => {
      const [a, b] = await Promise.all([expert, county].map(marksOf))
      return a?.length === 1 && a.join() === b?.join()
    })
    assert.deepEqual(await lengthsOf(county), await lengthsOf(expert))
    await journey.shot(county, '13-county-reads-the-length')
  })

  journey.step('the expert writes and signs the opinion; the county doctor reads it in the room', async () => {
    const { page } = expert
    await page.click(t('critical-tell'))
    await page.fill('textarea[name=critical-tell]', '右侧少量气胸')
    await page.click(t('critical-tell-go'))
    await county.page.locator(t('critical'), { hasText: '右侧少量气胸' }).waitFor()
    await journey.shot(county, '13a-critical')
    assert.deepEqual(await violations(county.page), [])
    await county.page.fill('textarea[name=read_back]', '右侧少量气胸；已吸氧，通知外科')
    await county.page.click(t('read-back'))
    await page.waitForSelector(`${t('critical')}[data-read=true]`)
    await page.fill('textarea[name=findings]', '右上叶尖段 8 mm 实性结节，边缘光滑，无毛刺，未见纵隔淋巴结肿大。')
    await page.fill('textarea[name=advice]', '良性可能大。3 个月后复查低剂量 CT，暂不穿刺。')
    await journey.shot(expert, '14-opinion')
    await page.click(t('sign-opinion'))
    await page.waitForSelector(t('canonical'))
    await journey.shot(expert, '15-sign-opinion')
    await signWith(page, journey.person('李明远'))
    await county.page.waitForSelector(`${t('opinion')}[data-signed=true]`)
    await journey.shot(county, '16-county-reads')
  })

  journey.step('the length comes back from the archive as a structured report, with the same millimetres', async () => {
    const said = await lengthsOf(expert)
    const lengths = await reportedLengths(journey.house, journey.person('赵志远'), study)
    console.log(`on the screens: ${said.join()}; in the report: ${lengths.join()}`)
    assert.equal(lengths.length, 1)
    assert.deepEqual(lengths, said)
  })

  journey.step('the county doctor decides and closes; the expert’s right to the images has lapsed', async () => {
    const { page } = county
    early = await ticket('李明远')
    assert.ok(early.ticket)
    await page.getByText('回到会诊').click()
    await page.click(t('adopt-full'))
    await page.fill('textarea[name=plan]', '采纳。3 个月后在本院复查低剂量 CT，劝戒烟。')
    await page.fill('input[name=passphrase]', journey.person('赵志远').sign_in.passphrase ?? '')
    await journey.shot(county, '17-decision')
    await page.click(t('decide'))
    await page.locator(t('close-case')).press('Enter') // takes are still being listed above it, which moves it under a mouse
    await page.waitForSelector(`${t('case-page')}[data-state=closed]`)
    for (const [test, begins] of [
      ['report', '%PDF-'],
      ['package', '{"'],
    ] as const) {
      const [file] = await Promise.all([page.waitForEvent('download'), page.click(t(test))])
      const body = await readFile(await file.path())
      assert.equal(body.subarray(0, begins.length).toString(), begins, test)
    }
    await page.getByText('双方已归档').waitFor()
    await page.click(`${t('steps')} summary`)
    await page.locator(t('steps')).getByText('双方到齐，开始').waitFor()
    const kept = page.locator(t('kept'))
    await kept.locator(t('message')).getByText('患者吸烟 30 年').waitFor()
    await kept.getByText('周小军（家属）').waitFor()
    assert.ok((await kept.locator(t('take')).count()) >= 4, 'a take of each of the four')
    await until('a take is ready to play', () =>
      kept
        .locator('video')
        .first()
        .evaluate((video: HTMLVideoElement) => video.readyState >= video.HAVE_METADATA),
    )
    await journey.shot(county, '18-closed', true)
    assert.deepEqual(await violations(page), [])
    await page.setViewportSize({ width: 360, height: 640 })
    assert.equal(await overflow(page), 0, 'the closed case at 360 px')
    await journey.shot(county, '18-closed-360', true)
    await page.setViewportSize(desk.viewport)
    assert.deepEqual(await ways('李明远'), { statuses: [404], found: 0 }, 'the grant has lapsed on every way')
    assert.deepEqual(await ways('赵志远'), { statuses: [200], found: 1 }, 'the own hospital keeps its images')
    const { body } = await journey.house.call(journey.person('李明远').session, 'GET', `/api/v1/teleconsults/${one}`)
    const [known] = (body as { studies: Record<string, unknown>[] }).studies
    assert.match(String(known?.modalities), /CT/)
    assert.deepEqual(
      [known?.study_uid, known?.patient_name, known?.patient_id, known?.patient_birth_date, known?.series],
      ['', '', '', '', []],
      'of the study the former expert reads what the package says',
    )
    await expert.page.reload()
    await expert.page.getByText('这些影像您现在不能看').waitFor()
    assert.equal((await ticket('李明远')).status, 409, 'no ticket is sold any more')
    assert.equal(await knock(expert, early), 'closed', 'and one from before opens nothing')
    assert.equal(await expert.page.locator('canvas').count(), 0)
    await journey.shot(expert, '19-expert-after')
    await patient.page.waitForSelector(`${t('consult')}[data-state=closed]`)
    await patient.page.locator(t('kept')).locator(t('message')).getByText('患者吸烟 30 年').waitFor()
    await journey.shot(patient, '20-patient-after', true)
    assert.deepEqual(await violations(patient.page), [])
  })
})
