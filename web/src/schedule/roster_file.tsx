// The roster as a file and as a feed for other calendars.
import { useState } from 'preact/hooks'
import { call, post } from '../api/client'
import { useDeed, useOnce } from '../api/resource'
import type { Registration, RosterImport } from '../api/types/schedule'
import { pick } from '../i18n/i18n'
import { Button, Notice, ProblemNote, Select } from '../ui/parts'
import { base64 } from './week'
import { w } from './words'

export function Spreadsheet({
  doctor,
  places,
  onDone,
}: {
  doctor: string
  places: Registration[]
  onDone: () => void
}) {
  const deed = useDeed()
  const once = useOnce()
  const [place, setPlace] = useState(places[0]?.institution.id ?? '')
  const [file, setFile] = useState<string>()
  const [result, setResult] = useState<{ dry: boolean; of: RosterImport }>()
  const send = (content: string, dry: boolean) =>
    void deed.run(async () => {
      const body = { file: content, dry_run: dry }
      const done = await post<RosterImport>(`/rosters/${doctor}/csv/${place}`, body, dry ? undefined : once(body))
      setResult({ dry, of: done })
      if (!dry) {
        setFile(undefined)
        onDone()
      }
    })
  const input = `csv-${doctor}`
  return (
    <section class="card" data-test="spreadsheet">
      <h2>{w('file.title')}</h2>
      <Select
        label={w('tpl.place')}
        value={place}
        options={places.map((one) => ({ value: one.institution.id, label: one.institution.name }))}
        onChange={setPlace}
      />
      <a href={`/api/v1/rosters/${doctor}/csv/${place}`} download="roster.csv">
        {w('file.out')}
      </a>
      <div class="field">
        <label for={input}>{w('file.in')}</label>
        <p class="hint">{w('file.hint')}</p>
        <input
          id={input}
          type="file"
          accept=".csv,text/csv"
          onChange={(event) => {
            const chosen = event.currentTarget.files?.[0]
            if (chosen)
              void base64(chosen).then((content) => {
                setFile(content)
                send(content, true)
              })
          }}
        />
      </div>
      <ProblemNote problem={deed.problem} />
      {result && (
        <div role="status" class="stack">
          {result.of.errors.length > 0 ? (
            <Notice tone="danger" title={w('file.bad', { n: result.of.errors.length })} />
          ) : (
            <Notice
              tone="ok"
              title={result.dry ? w('file.would', { rows: result.of.rows }) : w('file.done', { n: result.of.added })}
            />
          )}
          <ul class="bare">
            {result.of.errors.map((one) => (
              <li key={one.line}>{w('file.line', { line: one.line, why: pick(one.reason) })}</li>
            ))}
          </ul>
        </div>
      )}
      {file && result?.dry && result.of.errors.length === 0 && (
        <Button look="primary" busy={deed.busy} onPress={() => send(file, false)}>
          {w('file.go')}
        </Button>
      )}
    </section>
  )
}

export function Feed() {
  const deed = useDeed()
  const [path, setPath] = useState<string>()
  const [closed, setClosed] = useState(false)
  return (
    <section class="card">
      <h2>{w('feed.title')}</h2>
      <p class="meta">{w('feed.lead')}</p>
      <ProblemNote problem={deed.problem} />
      <div class="row">
        <Button
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              setPath((await post<{ path: string }>('/calendar-feed')).path)
              setClosed(false)
            })
          }
          test="feed-open"
        >
          {w('feed.open')}
        </Button>
        <Button
          look="quiet"
          busy={deed.busy}
          onPress={() =>
            void deed.run(async () => {
              await call<void>('DELETE', '/calendar-feed')
              setPath(undefined)
              setClosed(true)
            })
          }
          test="feed-close"
        >
          {w('feed.close')}
        </Button>
      </div>
      {path && (
        <div role="status">
          <p>{w('feed.address')}</p>
          <code class="hash" data-test="feed">
            {location.origin + path}
          </code>
        </div>
      )}
      {closed && <p role="status">{w('feed.closed')}</p>}
    </section>
  )
}
