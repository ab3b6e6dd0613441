// A first-visit policy from the refusal that asks for it to the kill switch: patient, author, two who approve, regulator.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe } from 'node:test'
import { promisify } from 'node:util'
import { desk, phone, type Someone } from './browser'
import { until } from './house'
import { Journey, t } from './journey'
import { overflow, violations } from './judge'
import { enterByPhone, enterWorkspace } from './people'

const run = promisify(execFile)

/** A province's draft rule; its stories hold below 3. */
const draftRule = (below: string) => `id: HB-01
citation: 鄂卫规〔2026〕1号 第3条
confidence: read
jurisdiction: "42"
in_force: {from: 2026-01-01}
phase: 1
applies_to: {stages: [booking, start, in_visit, sign]}
condition: patient.realname_level ${below}
outcome: REQUIRE
message: {zh: 请先完成人脸核验。, en: Please pass the face check first.}
remedy: {zh: 打开实名认证，按提示做。, en: Open the real-name page and follow it.}
ways: [human_review]
cure: {patient: {realname_level: 3}}
cases:
  - story: checked by face
    patch: {institution: {province: "42", region: "420102"}, patient: {realname_level: 3}}
    fires: false
  - story: checked by number and name only
    patch: {institution: {province: "42", region: "420102"}, patient: {realname_level: 2}}
    fires: true
`

describe('a first-visit policy', { concurrency: 1 }, () => {
  const journey = new Journey('policy')
  const staff: Record<string, Someone> = {}
  let patient: Someone
  let version = ''
  let visit = ''

  const enter = async (name: string): Promise<Someone> => {
    const one = await journey.join(name, desk)
    staff[name] = one
    await enterWorkspace(one.page, journey.person(name))
    await one.page.goto('/staff/policies')
    await one.page.waitForSelector('#content')
    return one
  }
  const documentOf = async ({ page }: Someone) => {
    const href = await page.getAttribute(t('policy-file'), 'href')
    return page.evaluate(async (path) => (await fetch(path ?? '')).text(), href)
  }
  const stateOf = (one: Someone, state: string) => one.page.waitForSelector(`${t('version')}[data-state=${state}]`)
  const judged = async (one: Someone, name: string) => {
    assert.deepEqual(await violations(one.page), [], `${name}: accessibility`)
    await journey.shot(one, name, true)
  }

  journey.step('a first visit is refused, told why and shown where to go', async () => {
    patient = await journey.join('patient', phone)
    const { page } = patient
    await enterByPhone(page, journey.person('李强').sign_in.phone ?? '')
    await page.waitForSelector('input[name=code]', { state: 'detached' })
    await page.goto('/book/who')
    await page.locator(t('person'), { hasText: '李强' }).click()
    await page.click(t('flags-none'))
    await page.click(t('kind-first_visit'))
    await page.click('[data-test^=illness-I10]')
    await page.click(t('severity-mild'))
    await page.check(t('consent-care'))
    await page.check(t('consent-data'))
    await page.click(t('consent-go'))
    await page.waitForSelector(`${t('verdict')}[data-verdict=REDIRECT_OFFLINE]`)
    assert.match((await page.textContent('details')) ?? '', /VIS-11/)
    assert.ok((await page.locator('a[href^="tel:"]').count()) >= 1, 'a clinic to ring')
    await journey.shot(patient, '01-refused', true)
  })

  journey.step(
    'the patient asks a person to look; the coordinator answers, and can’t allow what the law refuses',
    async () => {
      const { page } = patient
      await page.click(t('ask-review'))
      await page.fill('textarea[name=review]', '我以前在别的医院看过高血压')
      await page.click(t('send-review'))
      await page.locator('[role=status]', { hasText: '前答复您' }).waitFor()
      const coordinator = await journey.join('孙丽', desk)
      staff['孙丽'] = coordinator
      await enterWorkspace(coordinator.page, journey.person('孙丽'))
      await coordinator.page.goto('/staff/reviews')
      await coordinator.page.locator(t('review'), { hasText: '李强' }).click()
      await coordinator.page.fill('textarea[name=answer]', '看过的话，请上传那次的病历；没有病历要到医院当面看。')
      await judged(coordinator, '01-review')
      await coordinator.page.click(t('review-upheld'))
      await page.locator('[role=status]', { hasText: '请上传那次的病历' }).waitFor() // by itself
      assert.equal(await page.getAttribute(t('verdict'), 'data-verdict'), 'REDIRECT_OFFLINE')
      await judged(patient, '01-review-answered')
    },
  )

  journey.step('an administrator reads the rules and drafts a policy; what is missing is named', async () => {
    const author = await enter('钱进')
    const { page } = author
    await page.goto('/staff/rules')
    await page.locator(t('rule'), { hasText: 'VIS-11' }).locator('summary').click()
    await judged(author, '02-rules')
    await page.fill('input[name=pack]', 'hubei')
    await page.setInputFiles('input[name=rules]', {
      name: 'HB-01.yaml',
      mimeType: 'text/yaml',
      buffer: Buffer.from(draftRule('< 2')),
    })
    await page.click(t('try-rules'))
    await page.locator('[role=alert]', { hasText: 'HB-01' }).waitFor() // its story does not hold
    await page.setInputFiles('input[name=rules]', {
      name: 'HB-01.yaml',
      mimeType: 'text/yaml',
      buffer: Buffer.from(draftRule('< 3')),
    })
    await page.click(t('try-rules'))
    await page.waitForSelector(t('trial'))
    assert.match((await page.textContent(t('trial'))) ?? '', /规则包 hubei/)
    assert.equal((await page.textContent(t('sim-other')))?.trim(), '1', 'the refused patient has one more reason')
    await page.locator(t('trials')).scrollIntoViewIfNeeded()
    await judged(author, '02-rules-simulated')
    await page.goto('/staff/policies')
    await page.click(t('draft-policy'))
    await page.click(t('save-draft'))
    await page.waitForSelector('.field.wrong')
    await judged(author, '03-draft-empty')
    await page.fill('input[name=id]', 'QH-BP')
    await page.fill('input[name=title]', '高血压首诊试点')
    await page.fill('input[name=authority]', '省卫生健康委')
    await page.fill('input[name=docNo]', '鄂卫函〔2026〕18号')
    await page.setInputFiles('input[name=document]', {
      name: '批文.pdf',
      mimeType: 'application/pdf',
      buffer: Buffer.from('%PDF-1.7 批文'),
    })
    const today = new Date()
    const to = new Date(today.getTime() + 180 * 86_400_000).toISOString().slice(0, 10)
    await page.fill('input[name=to]', to)
    await page.fill('input[name=icd10_cats]', 'I10')
    await page.fill('input[name=departments]', '心血管内科')
    await page.fill('input[name=regions]', '420102')
    await page.locator('#policy-document-hint', { hasText: '已保存' }).waitFor()
    await page.locator('.field', { hasText: '处方范围' }).locator('select').selectOption('symptomatic')
    await page.fill('input[name=drugs]', '退烧药')
    await page.check(t('whitelist'))
    for (const name of ['张建国', '何晓', '陈慧']) {
      await page.fill(t('find-doctor'), name)
      await page.locator(`${t('whitelist-doctors')} [role=option]`, { hasText: name }).click()
    }
    await page.getByRole('button', { name: '拿掉 陈慧' }).click()
    await page.click(t('save-draft'))
    await page.waitForSelector('.field.wrong input[name=drugs]')
    await page.fill('input[name=drugs]', 'N02BE、R05')
    await judged(author, '04-draft')
    await page.click(t('save-draft'))
    await stateOf(author, 'draft')
    version = new URL(page.url()).pathname.split('/').pop() ?? ''
    assert.match((await page.textContent(t('version'))) ?? '', /何晓、张建国|张建国、何晓/)
    assert.match((await page.textContent(t('version'))) ?? '', /只开对症药: N02BE、R05/)
    await journey.shot(author, '05-drafted', true)
  })

  journey.step('it is simulated over real decisions: the refused patient would pass', async () => {
    const { page } = staff['钱进'] as Someone
    await page.click(t('simulate'))
    await page.waitForSelector(t('simulated'))
    assert.equal((await page.textContent(t('sim-passes')))?.trim(), '1')
    assert.equal((await page.textContent(t('sim-fails')))?.trim(), '0')
    await stateOf(staff['钱进'] as Someone, 'simulated')
    assert.match((await page.textContent(t('simulation'))) ?? '', /I10/)
    assert.equal(await page.locator(t('approve')).count(), 0, 'the author is offered no approval')
    await judged(staff['钱进'] as Someone, '06-simulated')
  })

  journey.step('two colleagues approve it, each on their own screen; the author activates it', async () => {
    for (const [at, name] of ['郑岩', '何静'].entries()) {
      const one = await enter(name)
      await one.page.goto(`/staff/policies/${version}`)
      assert.equal(await documentOf(one), '%PDF-1.7 批文', 'who approves reads the document itself')
      await one.page.check(t('approve-read'))
      await one.page.click(t('approve'))
      await stateOf(one, at === 0 ? 'simulated' : 'approved')
      if (at === 0) await journey.shot(one, '07-first-approval', true)
    }
    const author = staff['钱进'] as Someone
    await stateOf(author, 'approved') // without a reload
    await judged(author, '08-approved')
    await author.page.click(t('activate'))
    await stateOf(author, 'active')
  })

  journey.step('the same patient is accepted, the rule and the document named, and books', async () => {
    const { page } = patient
    await page.getByRole('button', { name: '再看一次' }).click()
    await page.waitForSelector(`${t('verdict')}[data-verdict=ALLOW_COND]`)
    assert.match((await page.textContent('.reasons')) ?? '', /鄂卫函〔2026〕18号/)
    assert.match((await page.textContent('details')) ?? '', /EXC-05:QH-BP@1/)
    await journey.shot(patient, '09-accepted', true)
    await page.click(t('choose-doctor'))
    await page.locator(t('doctor'), { hasText: '张建国' }).first().click()
    await page.click(t('earliest'))
    await page.click(t('book'))
    await page.waitForURL(/\/visits\/[0-9a-f-]{36}$/)
    visit = new URL(page.url()).pathname.split('/').pop() ?? ''
    await page.waitForSelector(`${t('visit')}[data-state=booked]`)
  })

  journey.step(
    'the policy is suspended with a reason: the booked visit stops, the patient is told what to do',
    async () => {
      const author = staff['钱进'] as Someone
      await author.page.click(t('suspend'))
      await author.page.fill('input[name=reason]', '收到一例不良事件，先停')
      await author.page.click(t('end-policy'))
      await stateOf(author, 'suspended')
      await judged(author, '10-suspended')
      const { page } = patient
      await page.waitForSelector(t('stopped')) // by itself
      assert.ok((await page.locator('a[href^="tel:"]').count()) >= 1, 'a clinic to ring')
      assert.match((await page.textContent('details')) ?? '', /VIS-11/)
      assert.match((await page.textContent('details')) ?? '', /EXC-01/)
      assert.equal(await overflow(page), 0)
      await judged(patient, '11-stopped')
      await until('a text message', async () => {
        const { phone } = journey.person('李强').sign_in
        const { body } = await journey.house.call('', 'POST', '/api/v1/demo/inbox', { phone })
        return JSON.stringify(body).includes('政策已停用')
      })
      const { status, body } = await journey.house.call(
        journey.person('李强').session,
        'POST',
        `/api/v1/visits/${visit}/check-in`,
        { device: { microphone: true, camera: true, speaker: true }, network: { rtt_ms: 20, path: 'udp' } },
      )
      assert.equal(status, 422)
      assert.match(JSON.stringify(body), /not_eligible/)
    },
  )

  journey.step('a new version shows what it changes', async () => {
    const author = staff['钱进'] as Someone
    const { page } = author
    await page.getByRole('button', { name: '改成新版本' }).click()
    await page.fill('input[name=minYears]', '10')
    await page.click(t('save-draft'))
    await stateOf(author, 'draft')
    assert.match((await page.textContent(t('diff'))) ?? '', /独立执业满.*3 年.*10 年/)
    await page.getByRole('button', { name: '改成新版本' }).click()
    await page.setViewportSize({ width: 360, height: 640 })
    await page.waitForSelector(t('whitelist-doctors'))
    assert.equal(await overflow(page), 0, 'the draft at 360 px')
    await journey.shot(author, '12-draft-360', true)
    await page.setViewportSize(desk.viewport)
    await page.getByRole('button', { name: '不做了' }).click()
    await judged(author, '12-next-version')
  })

  journey.step(
    'a record of the hospital itself is taken in: the patient need hand in nothing, and is accepted',
    async () => {
      const coordinator = staff['孙丽'] as Someone
      await coordinator.page.goto('/staff/evidence')
      const day = new Date(Date.now() - 30 * 86_400_000).toISOString().slice(0, 10)
      const csv = (id: string) =>
        `病案号,身份证号,姓名,诊断日期,ICD-10,资料种类,科室,签名医师,作废\nQH-0001,${id},李强,${day},I25.100,门诊病历,心血管内科,张建国,\n`
      const send = (id: string) =>
        coordinator.page.setInputFiles('input[name=records]', {
          name: '本院病历.csv',
          mimeType: 'text/csv',
          buffer: Buffer.from(csv(id)),
        })
      await send('420102198107123312')
      await coordinator.page.locator('[role=alert]', { hasText: '第 2 行' }).waitFor()
      await judged(coordinator, '16-records-refused')
      await send('420102198107123311')
      await coordinator.page.locator('[role=status]', { hasText: '新导入 1 条' }).waitFor()
      await judged(coordinator, '17-records')
      await coordinator.page.setViewportSize({ width: 360, height: 640 })
      assert.equal(await overflow(coordinator.page), 0, 'the desk at 360 px')
      await journey.shot(coordinator, '17-records-360', true)

      const { page } = patient
      await page.goto('/book/who')
      await page.locator(t('person'), { hasText: '李强' }).click()
      await page.click(t('flags-none'))
      await page.click(t('kind-follow_up'))
      await page.click('[data-test^=illness-I25]')
      await page.locator('.card', { hasText: '在医院自己的病历里找到' }).waitFor()
      await judged(patient, '18-found')
      await page.click(t('proof-use'))
      await page.click(t('severity-mild'))
      const verdict = page.locator(`${t('verdict')}[data-verdict=ALLOW]`)
      await verdict
        .or(page.locator(t('consent-go')))
        .first()
        .waitFor()
      if (await page.locator(t('consent-go')).isVisible()) {
        await page.check(t('consent-care'))
        await page.check(t('consent-data'))
        await page.click(t('consent-go'))
      }
      await verdict.waitFor()
      await journey.shot(patient, '19-found-accepted', true)
    },
  )

  journey.step('the regulator opens the decision: proved on screen, and offline by the command', async () => {
    const regulator = await enter('吴监')
    const { page } = regulator
    assert.equal(await page.locator(t('draft-policy')).count(), 0, 'who supervises drafts nothing')
    await page.goto('/staff/decisions')
    await page.fill('input[name=rule]', 'EXC-05')
    await until('only decisions by the policy', async () => {
      const rows = await page.locator(t('decision')).allTextContents()
      return rows.length > 0 && rows.every((row) => row.includes('EXC-05:QH-BP@1'))
    })
    await judged(regulator, '13-decisions')
    await page.locator(t('decision')).first().click()
    await page.waitForSelector(`${t('proof')}[data-good=true]`)
    assert.match((await page.textContent(t('reasons'))) ?? '', /482号/)
    await judged(regulator, '14-decision')
    await page.goto('/staff/decisions')
    await page.locator('.field', { hasText: '结果' }).locator('select').selectOption('ALLOW')
    await page.locator(t('decision'), { hasText: 'I25' }).first().click()
    await page.locator(t('found'), { hasText: '在医院自己的病历里找到' }).waitFor()
    await judged(regulator, '20-found-decision')
    await page.setViewportSize({ width: 360, height: 640 })
    assert.equal(await overflow(page), 0, 'the decision at 360 px')
    await page.goto(`/staff/policies/${version}`)
    await stateOf(regulator, 'suspended')
    assert.equal(await documentOf(regulator), '%PDF-1.7 批文')
    assert.equal(await overflow(page), 0, 'the policy at 360 px')
    await journey.shot(regulator, '15-policy-360')
    await page.goto('/staff/rules')
    await page.waitForSelector(t('trial'))
    assert.equal(await page.locator(t('try-rules')).count(), 0, 'who supervises tries no rules')
    assert.equal(await overflow(page), 0, 'the rules at 360 px')

    const id = (await journey.house.call(journey.person('吴监').session, 'GET', '/api/v1/decisions?rule=EXC-05'))
      .body as {
      id: string
    }[]
    const dossier = await fetch(`${journey.house.address}/api/v1/decisions/${id[0]?.id}/dossier`, {
      headers: { Authorization: `Bearer ${journey.person('吴监').session}` },
    })
    const keys = await fetch(`${journey.house.address}/api/v1/eligibility/keys`)
    const folder = await mkdtemp(join(tmpdir(), 'yuanzhen-dossier-'))
    const file = join(folder, 'decision.json')
    await writeFile(file, await dossier.text())
    await writeFile(join(folder, 'keys.json'), await keys.text())
    const binary = resolve(process.env.YUANZHEN_BIN ?? '../bin/yuanzhen')
    const { stdout } = await run(binary, ['eligibility', 'verify', file, '--keys', join(folder, 'keys.json')])
    assert.match(stdout, /EXC-05:QH-BP@1/)
    assert.doesNotMatch(stdout, /NOT/)
    await rm(folder, { recursive: true })
  })
})
