// A device whose WHIP nobody here wrote (Meetecho's simple-whip-client on GStreamer) sends into a visit and is seen by both: run by
// tools/whip.sh, which brings the client.
import { spawn } from 'node:child_process'
import { after, describe } from 'node:test'
import { desk, phone, type Someone } from './browser'
import { book, checkIn } from './errands'
import { until } from './house'
import { Journey, t } from './journey'
import { counts, flowing } from './media'
import { enterByPhone, enterWorkspace } from './people'

const picture =
  'videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=15/1 ! videoconvert ! ' +
  'vp8enc deadline=1 keyframe-max-dist=60 target-bitrate=500000 ! rtpvp8pay pt=96 ssrc=2 ! queue ! ' +
  'application/x-rtp,media=video,encoding-name=VP8,payload=96'
const sound =
  'audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample ! opusenc ! rtpopuspay pt=100 ssrc=1 ! queue ! ' +
  'application/x-rtp,media=audio,encoding-name=OPUS,payload=100'

describe('a device with a WHIP client of others', { concurrency: 1 }, () => {
  const journey = new Journey('whip')
  let patient: Someone
  let doctor: Someone
  let device: ReturnType<typeof spawn> | undefined
  after(() => device?.kill('SIGKILL'))

  const addInstrument = async (name: string) => {
    await doctor.page.fill('input[name=instrument]', name)
    await doctor.page.click(t('add-instrument'))
    const shown = async (part: string) => (await doctor.page.textContent(t(part)))?.trim() ?? ''
    return ['-u', await shown('whip-url'), '-t', await shown('whip-token')]
  }
  const sends = (pass: string[], ...media: string[]) => {
    device = spawn('whip-client', [...pass, '-o', ...media], { stdio: 'inherit' })
  }
  const seenByBoth = async () => {
    for (const { page } of [doctor, patient]) {
      const frames = async () => (await counts(page)).frames.filter((n) => n > 30)
      await until('pictures of two', async () => (await frames()).length >= 2, 60_000)
      console.log(`frames decoded: ${await frames()}`)
    }
  }
  const removed = async () => {
    await doctor.page.click(t('remove-instrument'))
    await patient.page.locator(`${t('person')}[data-role=ultrasound]`).waitFor({ state: 'detached' })
    device?.kill('SIGKILL')
  }

  journey.step('a visit is under way', async () => {
    const wang = journey.person('王秀英')
    const visit = await book(journey.house, wang, journey.person('孙丽'))
    await checkIn(journey.house, wang, visit)
    patient = await journey.join('patient', phone)
    await enterByPhone(patient.page, wang.sign_in.phone ?? '')
    await patient.page.click(`a[href="/visits/${visit}"]`)
    await patient.page.waitForSelector(t('place'))
    doctor = await journey.join('doctor', desk)
    await enterWorkspace(doctor.page, journey.person('张建国'))
    await doctor.page.goto(`/staff/visits/${visit}`)
    await doctor.page.click(t('admit'))
    await Promise.all([flowing(doctor.page, 1), flowing(patient.page, 1)])
    await doctor.page.click(t('instruments'))
  })

  journey.step('a picture alone, whose offer has no BUNDLE group, is seen by doctor and patient', async () => {
    sends(await addInstrument('2 号超声'), '-V', picture)
    await seenByBoth()
    await journey.shot(doctor, '01-picture-doctor')
    await journey.shot(patient, '02-picture-patient')
    await removed()
  })

  journey.step('picture and sound are seen and heard', async () => {
    sends(await addInstrument('3 号超声'), '-V', picture, '-A', sound)
    await seenByBoth()
    await until('the ticks', async () => (await counts(patient.page)).energy.filter((n) => n > 0).length >= 2, 60_000)
    await journey.shot(doctor, '03-sound-doctor')
    await removed()
  })
})
