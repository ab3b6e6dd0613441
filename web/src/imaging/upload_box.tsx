// Choosing images and watching them arrive.
import type { TargetedEvent } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { useDeed } from '../api/resource'
import { lang } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { Button, Notice, ProblemNote } from '../ui/parts'
import { detailIn, stow, type Upload, upload } from './upload'
import { w } from './words'

export function timeLeft({ bytesLeft, bytesPerSecond }: Pick<Upload, 'bytesLeft' | 'bytesPerSecond'>): string {
  const minutes = Math.ceil(bytesLeft / Math.max(1, bytesPerSecond) / 60)
  return bytesPerSecond === 0 || minutes <= 1 ? w('up.soon') : w('up.minutes', { n: minutes })
}

export function UploadBox({ institution, onDone }: { institution: string; onDone: (studies: string[]) => void }) {
  const [state, setState] = useState<Upload>()
  const [over, setOver] = useState(false)
  const folder = useRef<HTMLInputElement>(null)
  const files = useRef<HTMLInputElement>(null)
  const deed = useDeed()

  const send = (chosen: readonly File[]) => {
    const images = chosen.filter(({ name }) => !/^(DICOMDIR|\..*)$/i.test(name))
    void deed.run(async () => {
      const end = await upload(images, stow(institution), setState)
      onDone(end.studies)
    })
  }
  const choose = (event: TargetedEvent<HTMLInputElement>) => {
    const chosen = [...(event.currentTarget.files ?? [])]
    event.currentTarget.value = '' // the same files may be chosen again
    send(chosen)
  }
  const busy = deed.busy
  return (
    <section class="stack" data-test="upload" data-at={state?.at ?? 'none'}>
      <ProblemNote problem={deed.problem} />
      <fieldset
        class={`drop${over ? ' over' : ''}`}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault()
          setOver(false)
          send([...(event.dataTransfer?.files ?? [])])
        }}
      >
        <Icon name="up" />
        <div class="row">
          <Button disabled={busy} onPress={() => folder.current?.click()}>
            {w('up.choose')}
          </Button>
          <Button disabled={busy} onPress={() => files.current?.click()}>
            {w('up.files')}
          </Button>
        </div>
        <span class="meta">{w('up.drop')}</span>
        <input
          ref={folder}
          type="file"
          multiple
          hidden
          aria-label={w('up.choose')}
          {...{ webkitdirectory: true }}
          onChange={choose}
        />
        <input ref={files} type="file" multiple hidden aria-label={w('up.files')} data-test="files" onChange={choose} />
      </fieldset>
      {state && (
        <div class="stack" role="status" data-test="progress">
          <progress
            max={Math.max(1, state.at === 'reading' ? state.files : state.total)}
            value={state.at === 'reading' ? state.read : state.received}
            aria-label={w('img.title')}
          />
          <span>
            {state.at === 'reading' && w('up.reading', { n: state.read, m: state.files })}
            {state.at === 'sending' && w('up.going', { n: state.received, m: state.total, t: timeLeft(state) })}
            {state.at === 'cut' && w('up.cut', { n: state.received, m: state.total })}
            {state.at === 'done' && (state.received > 0 ? w('up.done', { n: state.received }) : w('up.none'))}
            {state.at === 'done' && state.had > 0 && ` ${w('up.had', { n: state.had })}`}
          </span>
          {state.refused.length > 0 && (
            <Notice tone="warn" title={w('up.bad', { n: state.refused.length })}>
              <ul>
                {state.refused.slice(0, 8).map((one) => (
                  <li key={one.file}>
                    {one.file}：
                    {one.why === 'conflict'
                      ? w('up.conflict')
                      : one.why === 'not_dicom'
                        ? w('up.notdicom')
                        : w('up.refused')}{' '}
                    {detailIn(lang.value, one.detail)}
                  </li>
                ))}
              </ul>
            </Notice>
          )}
        </div>
      )}
    </section>
  )
}
