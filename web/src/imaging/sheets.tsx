// What a study holds besides pictures: electrocardiograms on their paper, documents page by page.
import { useEffect, useState } from 'preact/hooks'
import { Icon } from '../ui/icons'
import { Button, Loading } from '../ui/parts'
import { PdfPages } from '../ui/pdf_pages'
import { ask } from './archive'
import { allRows, calibration, type Ecg, ecgOf, isEcg, lineOf, type Paper, samplesAt, usualSheet } from './ecg'
import { type Instance, sopOf, textOf } from './study'
import { w } from './words'

const documentTag = '00420011' // Encapsulated Document
const pdfType = 'application/pdf'

export const isPdf = (instance: Instance): boolean =>
  instance[documentTag] !== undefined && textOf(instance, '00420012') === pdfType

export const isSheet = (instance: Instance): boolean => isPdf(instance) || isEcg(instance)

const fromBase64 = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer

async function bulk(at: string, tags: string, accept: string, signal: AbortSignal): Promise<ArrayBuffer> {
  const response = await ask(`${at}/bulkdata/${tags}`, accept, signal)
  if (!response.ok) throw new Error(`the value answered ${response.status}`)
  return response.arrayBuffer()
}

/** The sheets of a series; `at` is its address below the archive. */
export function Sheets({ at, instances }: { at: string; instances: readonly Instance[] }) {
  const [index, setIndex] = useState(0)
  const one = instances[Math.min(index, instances.length - 1)]
  if (!one) return null
  return (
    <div class="sheets" data-test="sheets">
      {instances.length > 1 && (
        <div class="row">
          {instances.map((instance, n) => (
            <Button key={sopOf(instance)} pressed={n === index} onPress={() => setIndex(n)}>
              {textOf(instance, '00420010') || w('sheet.of', { n: n + 1, m: instances.length })}
            </Button>
          ))}
        </div>
      )}
      {isPdf(one) ? (
        <Pdf key={sopOf(one)} at={`${at}/instances/${sopOf(one)}`} title={textOf(one, '00420010')} />
      ) : (
        <EcgSheet key={sopOf(one)} at={`${at}/instances/${sopOf(one)}`} instance={one} />
      )}
    </div>
  )
}

const Broken = () => (
  <div class="empty" role="alert" data-test="sheet-broken">
    <Icon name="warn" />
    <span>{w('img.err')}</span>
  </div>
)

/** A document, drawn page by page: nothing runs what a file brings along. What is kept is byte for byte what came. */
function Pdf({ at, title }: { at: string; title: string }) {
  const [document, setDocument] = useState<{ url: string; bytes: ArrayBuffer }>()
  const [broken, setBroken] = useState(false)
  useEffect(() => {
    const stop = new AbortController()
    let made = ''
    bulk(at, documentTag, pdfType, stop.signal)
      .then((bytes) => {
        if (stop.signal.aborted) return
        made = URL.createObjectURL(new Blob([bytes], { type: pdfType }))
        setDocument({ url: made, bytes })
      })
      .catch(() => !stop.signal.aborted && setBroken(true))
    return () => {
      stop.abort()
      if (made) URL.revokeObjectURL(made)
    }
  }, [at])
  if (broken) return <Broken />
  if (!document) return <Loading />
  return (
    <>
      <div class="row">
        <span class="grow">{title || w('pdf.title')}</span>
        <a class="button plain" href={document.url} download="document.pdf" data-test="save-pdf">
          <Icon name="file" />
          <span>{w('pdf.save')}</span>
        </a>
      </div>
      <PdfPages bytes={document.bytes} title={title || w('pdf.title')} broken={<Broken />} />
    </>
  )
}

const sizes = [1, 1.5, 2] as const

function EcgSheet({ at, instance }: { at: string; instance: Instance }) {
  const [ecg, setEcg] = useState<Ecg>()
  const [broken, setBroken] = useState(false)
  const [rows, setRows] = useState(false)
  const [size, setSize] = useState<(typeof sizes)[number]>(1)
  useEffect(() => {
    const stop = new AbortController()
    const where = samplesAt(instance)
    const samples = !where
      ? Promise.reject(new Error('no samples'))
      : 'inline' in where
        ? Promise.resolve(fromBase64(where.inline))
        : bulk(at, where.tags, 'application/octet-stream', stop.signal)
    samples
      .then((bytes) => {
        if (stop.signal.aborted) return
        const read = ecgOf(instance, bytes)
        setEcg(read)
        setBroken(read === undefined)
      })
      .catch(() => !stop.signal.aborted && setBroken(true))
    return () => stop.abort()
  }, [at, instance])
  if (broken) return <Broken />
  if (!ecg) return <Loading />
  const usual = usualSheet(ecg)
  const paper = rows || !usual ? allRows(ecg) : usual
  return (
    <>
      <div class="row">
        {usual && (
          <>
            <Button pressed={!rows} onPress={() => setRows(false)} test="ecg-sheet">
              {w('ecg.sheet')}
            </Button>
            <Button pressed={rows} onPress={() => setRows(true)} test="ecg-rows">
              {w('ecg.rows')}
            </Button>
          </>
        )}
        {sizes.map((one) => (
          <Button key={one} look="quiet" pressed={size === one} onPress={() => setSize(one)} test={`ecg-x${one}`}>
            {w('ecg.size', { n: one * 100 })}
          </Button>
        ))}
        <span class="meta" data-test="ecg-said">
          {w('ecg.said', { leads: ecg.leads.length, s: Math.round(ecg.seconds * 10) / 10, rate: ecg.rate })}
        </span>
        {ecg.left.length > 0 && <span class="meta">{w('ecg.left', { list: ecg.left.join('、') })}</span>}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: paper that scrolls takes the arrow keys */}
      <section class="ecg-paper" tabIndex={0} aria-label={w('ecg.title')}>
        <Drawn ecg={ecg} paper={paper} size={size} />
      </section>
    </>
  )
}

function Drawn({ ecg, paper: { width, height, rows, strips }, size }: { ecg: Ecg; paper: Paper; size: number }) {
  return (
    <svg
      class="ecg"
      role="img"
      aria-label={w('ecg.said', { leads: ecg.leads.length, s: Math.round(ecg.seconds * 10) / 10, rate: ecg.rate })}
      width={`${width * size}mm`}
      height={`${(height + 8) * size}mm`}
      viewBox={`0 0 ${width} ${height + 8}`}
      data-test="ecg"
    >
      <defs>
        <pattern id="ecg-1mm" width="1" height="1" patternUnits="userSpaceOnUse">
          <path class="fine" d="M1 0H0V1" />
        </pattern>
        <pattern id="ecg-5mm" width="5" height="5" patternUnits="userSpaceOnUse">
          <rect width="5" height="5" fill="url(#ecg-1mm)" />
          <path class="bold" d="M5 0H0V5" />
        </pattern>
      </defs>
      <rect width={width} height={height} fill="url(#ecg-5mm)" />
      {rows.map((y) => (
        <path key={y} class="trace" d={calibration(y)} data-test="calibration" />
      ))}
      {strips.map((strip) => (
        <g key={`${strip.lead.name} ${strip.x} ${strip.y}`} data-test="lead" data-lead={strip.lead.name}>
          <path class="trace" d={lineOf(strip, ecg.rate)} />
          <text x={strip.x + 1} y={strip.y - 10}>
            {strip.lead.name}
          </text>
        </g>
      ))}
      <text x="2" y={height + 6}>
        25 mm/s　10 mm/mV
      </text>
    </svg>
  )
}
