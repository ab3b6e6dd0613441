// A follow-up visit from the first tap to the verified prescription: patient, coordinator, doctor, pharmacist and a
// stranger, each with a browser of their own, on a running platform.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { book, checkIn, monthsAgo, sheet } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { type Counts, counts, flowing, throughServer } from './media'
import { enterByPhone, enterWorkspace, identityNumber, signWith } from './people'

describe('a follow-up visit', { concurrency: 1 }, () => {
  const journey = new Journey('followup')
  const me = '何桂兰'
  let patient: Someone
  let coordinator: Someone
  let doctor: Someone
  let pharmacist: Someone
  let visit = ''
  let before = '' // the visit of who waits ahead
  let code = ''

  journey.step('a new patient signs in by phone code and enters the real name', async () => {
    patient = await journey.join('patient', phone)
    const { page } = patient
    await page.goto('/')
    await page.waitForSelector('input[name=phone]')
    await journey.shot(patient, '01-signin')
    await enterByPhone(page, '13912345678')
    await page.waitForSelector(t('register'))
    await journey.shot(patient, '02-home-new')
    await page.click(t('register'))
    await page.fill('input[name=name]', me)
    await page.fill('input[name=id_no]', '130534195803020024')
    await page.waitForSelector('.field.wrong')
    await page.fill('input[name=id_no]', identityNumber('1958-03-02', 'F'))
    await page.waitForFunction(() => !document.querySelector('.field.wrong'))
    await journey.shot(patient, '03-real-name')
    await page.click('button[type=submit]')
    await page.waitForSelector(t('flags-none'))
    await journey.shot(patient, '04-red-flags')
  })

  journey.step('a red flag leaves one thing on the page: 120', async () => {
    const { page } = patient
    await page.click(t('flag-chest_pain'))
    await page.waitForSelector('a[href="tel:120"]')
    await journey.shot(patient, '05-emergency')
    await page.click(t('mistake'))
    await page.click(t('flags-none'))
  })

  const answerToConsent = async (kind: string) => {
    const { page } = patient
    await page.click(t(`kind-${kind}`))
    await page.waitForSelector('[data-test^=illness-I10]')
    if (kind === 'first_visit') await journey.shot(patient, '06-illness')
    await page.click('[data-test^=illness-I10]')
  }
  const answerToDecision = async () => {
    const { page } = patient
    await page.fill('textarea[name=complaint]', '头晕三天，药快吃完了')
    await page.click(t('severity-mild'))
    await page.check(t('consent-care'))
    await page.check(t('consent-data'))
    await page.click(t('consent-go'))
    await page.waitForSelector(t('verdict'))
  }

  journey.step(
    'a first visit is refused, with the rule, the reason in plain words and hospitals to go to',
    async () => {
      const { page } = patient
      await page.waitForSelector(t('kind-first_visit'))
      await journey.shot(patient, '06-kind')
      await answerToConsent('first_visit')
      await answerToDecision()
      assert.equal(await page.getAttribute(t('verdict'), 'data-verdict'), 'REDIRECT_OFFLINE')
      assert.match((await page.textContent('.reasons')) ?? '', /[\u4e00-\u9fff]{8}/, 'the reason in words')
      assert.match((await page.textContent('details')) ?? '', /VIS-11/)
      assert.ok((await page.locator('a[href^="tel:"]').count()) >= 2, 'hospitals to ring')
      await journey.shot(patient, '07-first-visit-refused', true)
    },
  )

  journey.step('with the record of a hospital the answer waits for the check, and says so', async () => {
    const { page } = patient
    await page.goto('/book/kind')
    await answerToConsent('follow_up')
    const buffer = await sheet(patient, me)
    await page.setInputFiles('input[type=file]', { name: '门诊病历.png', mimeType: 'image/png', buffer })
    await page.fill('input[name=institution_name]', '永宁县人民医院')
    await page.fill('input[name=dx_date]', monthsAgo(3))
    await journey.shot(patient, '08-proof', true)
    await page.click('button[type=submit]')
    await answerToDecision()
    assert.equal(await page.getAttribute(t('verdict'), 'data-verdict'), 'REQUIRE')
    assert.match((await page.textContent('details')) ?? '', /VIS-04/)
    await journey.shot(patient, '09-waits-for-check', true)
  })

  journey.step('the coordinator checks the record, and the patient’s page turns to allowed by itself', async () => {
    coordinator = await journey.join('coordinator', desk)
    const { page } = coordinator
    await page.goto('/staff')
    await page.waitForSelector('input[name=login]')
    await journey.shot(coordinator, '10-staff-signin')
    await enterWorkspace(page, journey.person('孙丽'))
    await page.click('a[href="/staff/evidence"]')
    await page.locator(t('evidence'), { hasText: me }).click()
    await page.waitForFunction(
      (at) => (document.querySelector<HTMLImageElement>(`${at} img`)?.naturalWidth ?? 0) > 0,
      t('paper'),
    )
    await journey.shot(coordinator, '11-evidence-desk')
    await page.click(t('verify-evidence'))
    await patient.page.waitForSelector(`${t('verdict')}[data-verdict=ALLOW]`)
    await journey.shot(patient, '12-allowed', true)
  })

  journey.step('the patient chooses doctor and time and books', async () => {
    const { page } = patient
    const wang = journey.person('王秀英')
    before = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, before)
    await page.click(t('choose-doctor'))
    await page.locator(t('doctor'), { hasText: '张建国' }).first().waitFor()
    await journey.shot(patient, '13-doctors', true)
    await page.locator(t('doctor'), { hasText: '张建国' }).first().click()
    await page.waitForSelector(t('earliest'))
    await journey.shot(patient, '14-times')
    await page.click(t('earliest'))
    await page.waitForSelector(t('book'))
    await journey.shot(patient, '15-confirm')
    await page.click(t('book'))
    await page.waitForURL(/\/visits\/[0-9a-f-]{36}$/)
    visit = new URL(page.url()).pathname.split('/').pop() ?? ''
  })

  journey.step('the doctor signs in and sees who waits', async () => {
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, journey.person('张建国'))
    await doctor.page.waitForSelector(`a[href="/staff/visits/${before}"][data-state=checked_in]`)
  })

  journey.step('tries microphone, camera, sound and line', async () => {
    const { page } = patient
    await page.click(t('try-devices'))
    await page.waitForSelector(`${t('device-test')} video`)
    await page.waitForSelector(t('check-in'))
    await page.locator(t('device-test')).getByText('听得见', { exact: true }).click()
    await page.locator(`${t('device-test')} [role=status]`, { hasText: '网络' }).waitFor()
    await until('own picture', () =>
      page.evaluate(() => (document.querySelector<HTMLVideoElement>('.preview video')?.videoWidth ?? 0) > 0),
    )
    await journey.shot(patient, '16-devices', true)
  })

  journey.step('waits with a place in line that moves by itself; a reload keeps it; nothing flows yet', async () => {
    const { page } = patient
    const seated: string[] = []
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        const { type } = JSON.parse(String(payload)) as { type: string }
        if (type === 'joined') seated.push(socket.url())
      }),
    )
    await page.click(t('check-in'))
    await page.locator(t('place'), { hasText: '1 位' }).waitFor()
    await doctor.page.waitForSelector(`a[href="/staff/visits/${visit}"][data-state=checked_in]`)
    await until('a seat in the room', async () => seated.length > 0)
    await journey.shot(patient, '17-waiting', true)
    await page.reload()
    await page.locator(t('place'), { hasText: '1 位' }).waitFor()
    await until('the seat again', async () => seated.length > 1)
    const early = await counts(page)
    assert.deepEqual([early.packetsSent, early.packetsReceived], [0, 0], 'packets before the doctor admits')
    const cancelled = await journey.house.call(
      journey.person('王秀英').session,
      'POST',
      `/api/v1/visits/${before}/cancel`,
      { reason: 'patient' },
    )
    assert.equal(cancelled.status, 200, JSON.stringify(cancelled.body))
    await page.waitForFunction((at) => !document.querySelector(at)?.textContent?.includes('1 位'), t('place'))
    await journey.shot(patient, '18-next-in-line', true)
  })

  journey.step('F2 admits; both see and hear each other through the server and nowhere else', async () => {
    const { page } = doctor
    await page.click(`a[href="/staff/visits/${visit}"]`)
    await page.waitForSelector(t('chart'))
    await journey.shot(doctor, '19-doctor-before')
    const pressed = Date.now()
    await page.keyboard.press('F2')
    const joined = await Promise.all([
      page.waitForSelector(`${t('stage')}[data-phase=live] video`).then(() => Date.now() - pressed),
      patient.page.waitForSelector(`${t('call')}[data-phase=live] video`).then(() => Date.now() - pressed),
    ])
    const first = await Promise.all([counts(page), counts(patient.page)])
    const both = await Promise.all([flowing(page, 1), flowing(patient.page, 1)])
    const took = Date.now() - pressed
    throughServer(journey.house, both)
    const figures = (now: Counts, then: Counts) =>
      `${then.frames} → ${now.frames} frames decoded, energy ${now.energy.map((e) => e.toFixed(4))}, round trip ${now.rtt} ms`
    console.log(`F2 to the room: doctor ${joined[0]} ms, patient ${joined[1]} ms; both flowing and growing ${took} ms`)
    console.log(`doctor:  ${figures(both[0], first[0])}`)
    console.log(`patient: ${figures(both[1], first[1])}; far end ${both[1].selected}`)
    await journey.shot(doctor, '20-doctor-call')
    await journey.shot(patient, '21-patient-call')
  })

  journey.step('chart beside the picture; a coded record is written and signed as shown', async () => {
    const { page } = doctor
    const [picture, chart] = await Promise.all([
      page
        .locator(`${t('stage')} video`)
        .first()
        .boundingBox(),
      page.locator(t('chart')).boundingBox(),
    ])
    assert.ok(picture && chart && picture.width >= 320, 'the picture is at least 320 px wide')
    assert.ok(chart.x >= picture.x + picture.width, 'the chart stands beside the picture')
    await page.fill('input[name=chief_complaint]', '头晕 3 天')
    await page.fill(
      'textarea[name=present_illness]',
      '高血压 8 年，服氨氯地平，近 3 天晨起头晕，家测血压 142/88 mmHg。',
    )
    await page.fill(t('icd10'), 'I10')
    await page.locator('[role=option]').first().click()
    await page.fill('textarea[name=assessment]', '原发性高血压，血压控制欠佳，无急症表现。')
    await page.fill('textarea[name=plan]', '继续服药，低盐饮食，早晚测血压。一个月后复诊。')
    await page.waitForSelector(`${t('record')}[data-state=saved]`)
    await journey.shot(doctor, '22-record')
    await page.click(t('sign-record'))
    await page.waitForSelector(t('canonical'))
    await journey.shot(doctor, '23-sign-record')
    await signWith(page, journey.person('张建国'))
    await page.waitForSelector(`${t('record')}[data-signed=true]`)
  })

  journey.step(
    'a prescription from the formulary; an alert that interrupts wants a reason before the signature',
    async () => {
      const { page } = doctor
      const add = async (name: string, dose: string, quantity: string) => {
        await page.fill(t('formulary'), name)
        await page.locator('[role=option]', { hasText: name }).first().click()
        const line = page.locator(t('rx-line')).last()
        await line.locator('input[name=dose]').fill(dose)
        await line.locator('input[name=per_day]').fill('1')
        await line.locator('input[name=quantity]').fill(quantity)
      }
      await add('氨氯地平', '5', '28 片')
      await page.waitForSelector(t('alerts'))
      await journey.shot(doctor, '24-prescription')
      await add('辛伐他汀', '40', '28 片')
      await page.waitForSelector(`${t('alerts')} .interruptive`)
      await page.waitForSelector(`${t('sign-rx')}:not([disabled])`)
      await journey.shot(doctor, '25-alert')
      await page.keyboard.press('F8')
      await page.waitForSelector(t('canonical'))
      await page.fill('dialog input[name=passphrase]', journey.person('张建国').sign_in.passphrase ?? '')
      assert.ok(await page.isDisabled(t('sign')), 'no signature without a reason')
      for (const field of await page.locator('dialog input[name=override]').all())
        await field.fill('已说明肌痛要停药，两周后查肌酸激酶。')
      await journey.shot(doctor, '26-sign-prescription')
      await signWith(page, journey.person('张建国'))
      await page.waitForSelector(`${t('prescription')}[data-state=signed]`)
      const width =
        (
          await page
            .locator(`${t('stage')} video`)
            .first()
            .boundingBox()
        )?.width ?? 0
      assert.ok(width >= 320, `the picture kept ${width} px while prescribing`)
    },
  )

  journey.step('the pharmacist looks at three things and signs', async () => {
    pharmacist = await journey.join('pharmacist', desk)
    const { page } = pharmacist
    await enterWorkspace(page, journey.person('刘芳'))
    await page.locator(t('to-review'), { hasText: me }).click()
    assert.ok(await page.isDisabled(t('pass')), 'no approval before the checks')
    for (const check of ['legality', 'form', 'suitability']) await page.check(t(`check-${check}`))
    await journey.shot(pharmacist, '27-review-desk')
    await page.click(t('pass'))
    await signWith(page, journey.person('刘芳'))
    await page.waitForFunction((at) => !document.querySelector(at), t('to-review'))
    await doctor.page.waitForSelector(`${t('prescription')}[data-state=approved]`)
    await journey.shot(doctor, '28-approved')
  })

  journey.step('the doctor ends the visit; the patient holds the prescription with its code', async () => {
    await doctor.page.click(t('end-visit'))
    const { page } = patient
    await page.waitForSelector(`${t('rx-card')}[data-state=approved]`)
    await journey.shot(patient, '29-after', true)
    await page.click(t('rx-card'))
    await page.waitForSelector(`${t('rx-state')}[data-state=approved]`)
    await page.waitForFunction((at) => (document.querySelector<HTMLImageElement>(at)?.naturalWidth ?? 0) > 0, t('qr'))
    await journey.shot(patient, '30-prescription', true)
    code = new URL((await page.getAttribute(t('verify-link'), 'href')) ?? '', journey.house.address).hash
    assert.ok(code.length > 100)
  })

  journey.step(
    'anyone verifies the code; a changed one is refused; without a line the page says what it cannot know',
    async () => {
      const stranger = await journey.join('stranger', phone)
      const { page } = stranger
      const show = (hash: string) => page.evaluate((to) => location.assign(to), hash)
      await page.goto(`/verify${code}`)
      await page.waitForSelector(`${t('verified')}[data-result=genuine]`)
      await journey.shot(stranger, '31-genuine', true)
      const at = Math.floor(code.length / 2)
      await show(`${code.slice(0, at)}${code[at] === 'A' ? 'B' : 'A'}${code.slice(at + 1)}`)
      await page.waitForSelector(`${t('verified')}[data-result=forged]`)
      await journey.shot(stranger, '32-forged', true)
      await stranger.context.setOffline(true)
      await show(code)
      await page.waitForSelector(`${t('verified')}[data-result="genuine.offline"]`)
      await journey.shot(stranger, '33-offline', true)
    },
  )
})
