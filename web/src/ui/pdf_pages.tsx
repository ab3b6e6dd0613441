// The pages of a PDF one under the other, each drawn when it comes near the screen and let go when it is far.
import type { PDFDocumentProxy } from 'pdfjs-dist/legacy/build/pdf.mjs'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Button, Loading } from './parts'
import { w } from './words'

const sizes = [1, 1.5, 2] as const

/** `broken` is said of what is no PDF, or does not open. */
export function PdfPages({
  bytes,
  title,
  broken,
}: {
  bytes: ArrayBuffer
  title: string
  broken: preact.ComponentChildren
}) {
  const [pdf, setPdf] = useState<PDFDocumentProxy>()
  const [shapes, setShapes] = useState<readonly number[]>([])
  const [failed, setFailed] = useState(false)
  const [size, setSize] = useState<(typeof sizes)[number]>(1)
  const box = useRef<HTMLElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    let closed = false
    let opened: PDFDocumentProxy | undefined
    void (async () => {
      const { openPdf } = await import('./pdf')
      opened = await openPdf(bytes)
      if (closed) return opened.loadingTask.destroy()
      const first = (await opened.getPage(1)).getViewport({ scale: 1 })
      setShapes(Array.from({ length: opened.numPages }, () => first.height / first.width))
      setPdf(opened)
    })().catch(() => !closed && setFailed(true))
    return () => {
      closed = true
      void opened?.loadingTask.destroy()
    }
  }, [bytes])
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const measure = () => setWidth(element.clientWidth)
    measure()
    const watch = new ResizeObserver(measure)
    watch.observe(element)
    return () => watch.disconnect()
  }, [pdf])
  if (failed) return broken
  if (!pdf) return <Loading />
  return (
    <>
      <div class="row">
        {sizes.map((one) => (
          <Button key={one} look="quiet" pressed={size === one} onPress={() => setSize(one)} test={`pdf-x${one}`}>
            {`${one * 100}%`}
          </Button>
        ))}
        <span class="meta" data-test="pdf-count">
          {w('pdf.pages', { n: pdf.numPages })}
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: paper that scrolls takes the arrow keys */}
      <section class="pdf" tabIndex={0} aria-label={title} ref={box} data-test="pdf">
        {width > 0 &&
          shapes.map((shape, n) => (
            <Page key={n} pdf={pdf} n={n + 1} of={pdf.numPages} width={Math.floor((width - 16) * size)} shape={shape} />
          ))}
      </section>
    </>
  )
}

function Page({
  pdf,
  n,
  of,
  width,
  shape,
}: {
  pdf: PDFDocumentProxy
  n: number
  of: number
  width: number
  shape: number
}) {
  const place = useRef<HTMLDivElement>(null)
  const [near, setNear] = useState(false)
  const [state, setState] = useState<'blank' | 'drawn' | 'broken'>('blank')
  const [tall, setTall] = useState(shape)
  useEffect(() => {
    const element = place.current
    if (!element) return
    const watch = new IntersectionObserver(([entry]) => setNear(entry?.isIntersecting === true), {
      rootMargin: '600px',
    })
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  useEffect(() => {
    const element = place.current
    if (!near || !element) return
    let closed = false
    const canvas = document.createElement('canvas')
    void (async () => {
      const { drawPage } = await import('./pdf')
      await drawPage(pdf, n, canvas, width, Math.min(2, devicePixelRatio || 1))
      if (closed) return
      setTall(canvas.height / canvas.width)
      element.replaceChildren(canvas)
      setState('drawn')
    })().catch(() => !closed && setState('broken'))
    return () => {
      closed = true
      element.replaceChildren()
      canvas.width = 0 // its memory at once, not when it is collected
      setState('blank')
    }
  }, [pdf, n, near, width])
  return (
    <figure data-test="pdf-page" data-state={state}>
      <div
        class="page"
        role="img"
        aria-label={w('pdf.page', { n, m: of })}
        ref={place}
        style={{ width: `${width}px`, height: `${Math.round(width * tall)}px` }}
      />
      <figcaption class="meta">{state === 'broken' ? w('pdf.nopage', { n }) : w('pdf.page', { n, m: of })}</figcaption>
    </figure>
  )
}
