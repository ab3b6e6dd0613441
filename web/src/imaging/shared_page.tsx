// What somebody without an account sees who was sent a link: one study, for as long as the link lives.
import { useEffect, useState } from 'preact/hooks'
import { post } from '../api/client'
import { useDeed } from '../api/resource'
import { moment } from '../i18n/format'
import { lang } from '../i18n/i18n'
import { Icon, Mark } from '../ui/icons'
import { Button, Loading, ProblemNote, useTitle } from '../ui/parts'
import { w as ui } from '../ui/words'
import { ask, comeByLink, linkOver } from './archive'
import type { Opened } from './opening'
import { noShare } from './share'
import { dateOf, type Instance, textOf } from './study'
import { Viewer } from './viewer'
import { w } from './words'

type Opening = { token: string; study_uid: string; expires_at: string }
type Study = { opening: Opening; series: (Opened & { instances: number })[]; of: string }

export function SharedPage() {
  const [secret] = useState(() => location.hash.slice(1))
  const [study, setStudy] = useState<Study>()
  const deed = useDeed()
  const over = linkOver.value
  useTitle(w('shared.title'))
  useEffect(() => {
    document.documentElement.classList.toggle('reading-room', study !== undefined && !over)
  }, [study, over])
  useEffect(() => {
    if (!study) return
    const left = new Date(study.opening.expires_at).getTime() - Date.now()
    // A browser's timer holds 24 days; a link lives seven.
    const timer = setTimeout(() => (linkOver.value = true), Math.max(0, left))
    return () => clearTimeout(timer)
  }, [study])
  const open = () =>
    void deed.run(async () => {
      history.replaceState(null, '', '/shared') // the secret does not stay in the address, whatever comes of it
      const opening = await post<Opening>('/imaging/links/open', { secret })
      comeByLink(opening.token)
      setStudy(await read(opening))
    })
  if (over)
    return (
      <Sheet>
        <div data-test="link-over" class="stack">
          <h1>{w('shared.over')}</h1>
          <p>{w('shared.over.do')}</p>
        </div>
      </Sheet>
    )
  if (study) return <Looking study={study} />
  return (
    <Sheet>
      <h1>{w('shared.title')}</h1>
      <ProblemNote problem={deed.problem} />
      {secret ? (
        <>
          <p>{w('shared.text')}</p>
          <Button look="primary" icon="eye" busy={deed.busy} onPress={open} test="open-shared">
            {w('shared.open')}
          </Button>
        </>
      ) : (
        <p data-test="no-secret">{w('shared.again')}</p>
      )}
      {deed.busy && <Loading />}
    </Sheet>
  )
}

function Sheet({ children }: { children: preact.ComponentChildren }) {
  return (
    <div class="signin">
      <main id="content">
        <div class="top">
          <Mark />
          <Button look="quiet" onPress={() => (lang.value = lang.value === 'zh' ? 'en' : 'zh')}>
            {ui('nav.lang')}
          </Button>
        </div>
        {children}
      </main>
    </div>
  )
}

/** The study's series as the archive lists them (QIDO-RS). */
async function read(opening: Opening): Promise<Study> {
  const response = await ask(`/studies/${opening.study_uid}/series?includefield=all`, 'application/dicom+json')
  if (!response.ok) throw new Error(`series answered ${response.status}`)
  const rows = response.status === 204 ? [] : ((await response.json()) as Instance[])
  const number = (row: Instance) => Number(textOf(row, '00200011')) || 0
  const series = rows
    .sort((a, b) => number(a) - number(b))
    .map((row) => ({
      study: opening.study_uid,
      series: textOf(row, '0020000E'),
      modality: textOf(row, '00080060'),
      title: [
        textOf(row, '00080060'),
        textOf(row, '0008103E'),
        dateOf(textOf(row, '00080021') || textOf(row, '00080020')),
      ]
        .filter(Boolean)
        .join(' '),
      instances: Number(textOf(row, '00201209')) || 0,
    }))
  const [row] = rows
  const [name, sex, birth] = row ? [textOf(row, '00100010'), textOf(row, '00100040'), textOf(row, '00100030')] : []
  return { opening, series, of: name ? w('study.of', { name, sex: sex ?? '', birth: birth ?? '' }) : '' }
}

function Looking({ study: { opening, series, of } }: { study: Study }) {
  const largest = [...series].sort((a, b) => b.instances - a.instances)[0]
  const [chosen, setChosen] = useState(largest?.series)
  const opened = series.find((one) => one.series === chosen)
  return (
    <div class="reading reading-room shared" data-test="shared-study">
      <aside class="column" aria-label={w('shared.series')}>
        <h1>{w('shared.title')}</h1>
        {of && <p>{of}</p>}
        <p class="meta">{w('shared.until', { at: moment(opening.expires_at) })}</p>
        <p class="meta">
          <Icon name="info" /> {w('shared.stay')}
        </p>
        <div class="queue">
          {series.map((one) => (
            <button
              key={one.series}
              type="button"
              aria-current={one.series === chosen ? 'true' : undefined}
              onClick={() => setChosen(one.series)}
              data-test="series"
            >
              <span class="top">
                <span>{one.title}</span>
              </span>
              <span class="meta">{w('img.count', { n: one.instances })}</span>
            </button>
          ))}
        </div>
      </aside>
      <main id="content" class="holds-viewer">
        {opened ? (
          <Viewer
            opened={opened}
            share={noShare}
            names={{}}
            together={false}
            onMoved={() => {}}
            onPoint={() => {}}
            onLead={() => {}}
            onRelease={() => {}}
            onFollow={() => {}}
            marking={{ marks: [], drafts: [], may: false, draw: () => {}, put: () => {}, remove: () => {} }}
            go={undefined}
            onSeries={(by) => setChosen(series[series.indexOf(opened) + by]?.series ?? opened.series)}
          />
        ) : (
          <section class="viewer" aria-label={w('img.title')}>
            <div class="empty">{w('img.none')}</div>
          </section>
        )}
      </main>
    </div>
  )
}
