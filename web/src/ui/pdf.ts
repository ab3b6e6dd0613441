// PDFs drawn by pdf.js, loaded with the first document: phones have no reader inside a page (Chrome on Android shows
// nothing in a frame), and a document of a stranger is better drawn than run.
import { GlobalWorkerOptions, getDocument, type PDFDocumentProxy, version } from 'pdfjs-dist/legacy/build/pdf.mjs'
import worker from 'pdfjs-dist/legacy/build/pdf.worker.min.mjs?url'

GlobalWorkerOptions.workerSrc = worker

/** Opens a document; rejects what is none. Character maps for Chinese without its fonts, and decoders, come as needed. */
export async function openPdf(bytes: ArrayBuffer): Promise<PDFDocumentProxy> {
  return getDocument({
    data: bytes.slice(0), // the worker takes it
    cMapUrl: `/assets/pdf-${version}/cmaps/`,
    wasmUrl: `/assets/pdf-${version}/wasm/`,
    isEvalSupported: false,
    enableXfa: false,
    stopAtErrors: false,
  }).promise
}

/** Draws a page so wide, in pixels of the screen, `ratio` of which make one of CSS. */
export async function drawPage(
  pdf: PDFDocumentProxy,
  n: number,
  canvas: HTMLCanvasElement,
  width: number,
  ratio: number,
) {
  const page = await pdf.getPage(n)
  const one = page.getViewport({ scale: 1 })
  // A poster of a page is not drawn finer than 16 million pixels.
  const scale = Math.min((width * ratio) / one.width, Math.sqrt(16e6 / (one.width * one.height)))
  const viewport = page.getViewport({ scale })
  canvas.width = Math.floor(viewport.width)
  canvas.height = Math.floor(viewport.height)
  await page.render({ canvas, viewport }).promise
  page.cleanup()
}
