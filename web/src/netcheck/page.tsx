// Is this network fit for visits? For a patient at home and for the IT desk of a county hospital, who prints it.
import { useState } from 'preact/hooks'
import { useDeed } from '../api/resource'
import { moment } from '../i18n/format'
import { pick } from '../i18n/i18n'
import { Icon } from '../ui/icons'
import { Button, Notice, ProblemNote, useTitle } from '../ui/parts'
import { advice, type PathName, type PathResult, pathNames, type Report } from './advice'
import { offer, probe, throughput } from './probe'
import { w } from './words'

export function NetworkCheckPage() {
  const [running, setRunning] = useState<PathName | 'bytes' | undefined>()
  const [report, setReport] = useState<Report | undefined>()
  const [at, setAt] = useState(new Date())
  const deed = useDeed()
  useTitle(w('title'))
  const run = () =>
    void deed.run(async () => {
      setReport(undefined)
      const paths: PathResult[] = []
      try {
        const check = await offer()
        for (const name of pathNames) {
          setRunning(name)
          paths.push(await probe(name, check))
        }
        setRunning('bytes')
        setReport({ paths, ...(await throughput()) })
        setAt(new Date())
      } finally {
        setRunning(undefined)
      }
    })
  return (
    <main class="page netcheck" id="content" data-test="netcheck" data-done={report ? 'yes' : 'no'}>
      <h1>{w('title')}</h1>
      <p class="no-print">{w('lead')}</p>
      <ProblemNote problem={deed.problem} />
      {!report && (
        <Button look="primary" busy={deed.busy} onPress={run} test="netcheck-go">
          {w('start')}
        </Button>
      )}
      <p role="status" class="meta">
        {running && w('running', { name: w(running) })}
      </p>
      {report && <Found report={report} at={at} />}
      {report && (
        <div class="stack no-print">
          <Button icon="file" onPress={() => print()}>
            {w('print')}
          </Button>
          <Button busy={deed.busy} onPress={run}>
            {w('again')}
          </Button>
        </div>
      )}
      {!running && (
        <a class="button no-print" href="/" data-test="netcheck-home">
          {w('home')}
        </a>
      )}
    </main>
  )
}

export function Found({ report, at }: { report: Report; at: Date }) {
  const fit = report.paths.every((path) => path.ok)
  const ms = (n: number) => `${Math.round(n)}\u00a0ms`
  const kbps = (n: number | undefined) => (n === undefined ? w('unknown') : Math.round(n))
  return (
    <>
      <section class="stack">
        <h2>{w('todo')}</h2>
        {advice(report).map((one) => (
          <Notice key={one.en} tone={fit ? 'ok' : 'warn'} title={pick(one)} />
        ))}
      </section>
      <section class="stack">
        <h2>{w('figures')}</h2>
        <p class="meta">{w('when', { at: moment(at), house: location.host })}</p>
        <ul class="paths">
          {report.paths.map((path) => (
            <li key={path.name} data-test={`path-${path.name}`} data-ok={path.ok} data-frames={path.frames}>
              <b>{w(path.name)}</b>
              <span class={`tag ${path.ok ? 'ok' : 'danger'}`}>
                <Icon name={path.ok ? 'check' : 'cross'} /> {path.ok ? w('yes') : w('no')}
              </span>
              {path.ok && (
                <span class="meta">
                  {[
                    `${w('rtt')} ${ms(path.rtt)}`,
                    `${w('jitter')} ${ms(path.jitter)}`,
                    `${w('loss')} ${(path.loss * 100).toFixed(1)}\u00a0%`,
                    `${w('connect')} ${ms(path.connect)}`,
                  ].join(' · ')}
                </span>
              )}
            </li>
          ))}
        </ul>
        <p>{w('speed', { down: kbps(report.down), up: kbps(report.up) })}</p>
      </section>
    </>
  )
}
