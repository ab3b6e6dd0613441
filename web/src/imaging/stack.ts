// Originals on a canvas: Cornerstone3D decodes and draws, loaded when a study is first opened. It is told what to show and
// from where; the canvas is empty unless the image on it is the wanted one, because a load that fails leaves
// Cornerstone's earlier image in place.
import {
  cache,
  Enums,
  eventTarget,
  getShouldUseCPURendering,
  imageLoader,
  init as initCore,
  RenderingEngine,
  type Types,
} from '@cornerstonejs/core'
import { init as initLoader, wadors } from '@cornerstonejs/dicom-image-loader'
import { archiveHeaders, heed } from './archive'
import type { Samples } from './marks'
import { type Plane, type Sight, scaleOf, type Voi } from './sight'
import type { Instance, Picture } from './study'

const rest = 90 // ms a slice is looked at before its original is fetched: scrolling past costs nothing
const before = 4 // originals kept ready on the side one comes from
const after = 8 // and on the side one goes to

let started: Promise<void> | undefined

function start(): Promise<void> {
  started ??= (async () => {
    // The decoders throw numbers past the loader, and the loader its refused requests, after it has told of the failure.
    addEventListener('unhandledrejection', (event) => {
      if (typeof event.reason === 'number' || event.reason instanceof XMLHttpRequest) event.preventDefault()
    })
    // A stack has one viewport. A browser keeps sixteen contexts and takes the oldest away for the next: with the library's
    // seven of each stack a third one blackens the first.
    await initCore({ debug: {}, rendering: { webGlContextCount: 1 } })
    initLoader({
      maxWebWorkers: Math.max(1, Math.min(3, (navigator.hardwareConcurrency || 2) - 1)),
      beforeSend: () => archiveHeaders(),
      errorInterceptor: (error) => heed(error.status ?? 0),
    })
  })()
  return started
}

/** One frame as a picture by itself, as the decoders read it: colour as it is, grey in the image's own window. */
export async function frameOf(imageId: string, instance: Instance): Promise<ImageBitmap> {
  await start()
  // The loader looks what holds for all frames up under the first.
  for (const one of [imageId, imageId.replace(/\d+$/, '1')]) wadors.metaDataManager.add(one, instance as never)
  const image = await imageLoader.loadImage(imageId)
  const { columns, rows } = image
  const from = image.getPixelData()
  const into = new ImageData(columns, rows)
  const channels = image.color ? from.length / (columns * rows) : 1
  const { windowCenter, windowWidth } = image
  const [slope, intercept] = image.preScale?.scaled === true ? [1, 0] : [image.slope, image.intercept]
  const [center = 128, width = 256] = [windowCenter, windowWidth].map((one) => (Array.isArray(one) ? one[0] : one))
  for (let n = 0; n < columns * rows; n++)
    for (let c = 0; c < 3; c++) {
      const raw = from[n * channels + (channels > 1 ? c : 0)] ?? 0
      const grey = ((raw * slope + intercept - center) / width + 0.5) * 255
      into.data[n * 4 + c] = image.color ? raw : image.invert ? 255 - grey : grey
      into.data[n * 4 + 3] = 255
    }
  return createImageBitmap(into)
}

let engines = 0

type Wanted = { index: number; picture: Picture; plane: Plane; sight: Sight }

export class Stack {
  private readonly engine: RenderingEngine
  private readonly viewport: Types.IStackViewport
  private readonly failures = new Set<string>()
  private readonly loaded = new Set<string>()
  private readonly watch: ResizeObserver
  private readonly off: (() => void)[] = []
  private wanted: Wanted | undefined
  private placed = '' // the image whose sight has been set, not yet on the canvas
  private drawnId = ''
  private opened = false
  private windowed = false // a window other than the image's own has been set
  private forward = true
  private all = false
  private filling = false
  private closed = false
  private lost = false // the browser has taken the canvas away
  private timer: ReturnType<typeof setTimeout> | undefined

  /**
   * Attaches to an element that has a size; `budget` in bytes of decoded images. While the line is not `free`, only the
   * image being looked at is fetched.
   */
  static async open(
    element: HTMLDivElement,
    pictures: Picture[],
    budget: number,
    tell: () => void,
    free: () => boolean,
  ): Promise<Stack> {
    await start()
    cache.setMaxCacheSize(budget)
    return new Stack(element, pictures, budget, tell, free)
  }

  private constructor(
    private readonly element: HTMLDivElement,
    private readonly pictures: Picture[],
    private budget: number,
    private readonly tell: () => void,
    private readonly free: () => boolean,
  ) {
    this.engine = new RenderingEngine(`yz-${++engines}`)
    this.engine.enableElement({ viewportId: 'stack', element, type: Enums.ViewportType.STACK })
    this.viewport = this.engine.getViewport('stack') as Types.IStackViewport
    for (const { imageId, instance } of pictures) wadors.metaDataManager.add(imageId, instance as never)
    type Told = { imageId?: string; renderingEngineId?: string }
    const on = (target: EventTarget, name: string, hear: (detail: Told) => void) => {
      const heard = (event: Event) => hear((event as CustomEvent<Told>).detail)
      target.addEventListener(name, heard)
      this.off.push(() => target.removeEventListener(name, heard))
    }
    on(element, Enums.Events.IMAGE_RENDERED, () => {
      if (this.lost || this.placed === '' || this.placed !== this.wanted?.picture.imageId) return this.uncover(false)
      this.drawnId = this.placed
      this.uncover(true)
      this.tell()
    })
    const failing = ({ imageId }: { imageId?: string }) => {
      if (imageId) this.failed(imageId)
    }
    const target = eventTarget as unknown as EventTarget
    on(target, Enums.Events.IMAGE_LOAD_ERROR, failing)
    on(target, Enums.Events.IMAGE_LOAD_FAILED, failing)
    on(target, Enums.Events.WEBGL_CONTEXT_LOST, ({ renderingEngineId }) => {
      if (renderingEngineId !== this.engine.id) return
      this.lost = true
      this.uncover(false)
      this.tell()
    })
    this.watch = new ResizeObserver(() => {
      if (element.clientWidth === 0 || element.clientHeight === 0) return // hidden
      this.engine.resize(true, true)
      this.follow()
    })
    this.watch.observe(element)
    this.uncover(false)
  }

  /** Shows this image from there, as soon as it is here; until then nothing. */
  show(index: number, plane: Plane, sight: Sight): void {
    const picture = this.pictures[index]
    if (!picture || this.closed) return
    const from = this.wanted
    this.wanted = { index, picture, plane, sight }
    if (from?.picture === picture) {
      this.follow()
      return
    }
    this.forward = index >= (from?.index ?? 0)
    this.placed = ''
    this.drawnId = ''
    this.uncover(false)
    clearTimeout(this.timer)
    if (this.failures.has(picture.imageId)) this.tell()
    else if (this.loaded.has(picture.imageId) || !from) void this.draw()
    else this.timer = setTimeout(() => void this.draw(), rest)
  }

  /** All originals, as far as the memory goes, not only those around the slice being read. */
  fetchAll(): void {
    this.all = true
    void this.fill()
  }

  /** What of the memory is this stack's, beside another. */
  limit(budget: number): void {
    this.budget = budget
  }

  /** The line has become free. */
  fetchNear(): void {
    void this.fill()
  }

  drawn(): boolean {
    return !this.lost && this.drawnId !== '' && this.drawnId === this.wanted?.picture.imageId
  }

  broken(): boolean {
    return this.lost || (this.wanted !== undefined && this.failures.has(this.wanted.picture.imageId))
  }

  ready(): number {
    return this.loaded.size
  }

  /** The window on the screen. */
  voi(): Voi | undefined {
    const range = this.drawn() ? this.viewport.getProperties().voiRange : undefined
    return range && { center: (range.lower + range.upper) / 2, width: range.upper - range.lower }
  }

  /** The samples of the image on the screen; undefined for colour. */
  samples(): Samples | undefined {
    if (!this.drawn() || !this.wanted) return undefined
    const image = cache.getImage(this.wanted.picture.imageId)
    if (!image || image.color) return undefined
    const scaled = image.preScale?.scaled === true
    const unit = this.wanted.picture.instance['00281054']?.Value?.[0]
    const modality = this.wanted.picture.instance['00080060']?.Value?.[0]
    return {
      at: image.voxelManager?.getScalarData() ?? image.getPixelData(),
      columns: image.columns,
      rows: image.rows,
      slope: scaled ? 1 : image.slope,
      intercept: scaled ? 0 : image.intercept,
      unit: typeof unit === 'string' && unit !== 'US' ? unit : modality === 'CT' ? 'HU' : '',
    }
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
    this.watch.disconnect()
    for (const off of this.off) off()
    const context = getShouldUseCPURendering()
      ? undefined
      : this.engine.getOffscreenMultiRenderWindow('stack').getOpenGLRenderWindow().get3DContext()
    this.engine.destroy()
    context?.getExtension('WEBGL_lose_context')?.loseContext() // given back now, not when the memory is swept
    for (const { imageId } of this.pictures) if (cache.getImageLoadObject(imageId)) cache.removeImageLoadObject(imageId)
  }

  private failed(imageId: string): void {
    if (!this.pictures.some((one) => one.imageId === imageId)) return
    this.failures.add(imageId)
    this.loaded.delete(imageId)
    if (this.drawnId === imageId) this.drawnId = ''
    if (this.wanted?.picture.imageId === imageId) this.uncover(false)
    this.tell()
  }

  private async draw(): Promise<void> {
    const wanted = this.wanted
    if (!wanted) return
    const { imageId } = wanted.picture
    try {
      if (this.opened) await this.viewport.setImageIdIndex(wanted.index)
      else {
        this.opened = true
        await this.viewport.setStack(
          this.pictures.map((one) => one.imageId),
          wanted.index,
        )
      }
    } catch {
      this.failed(imageId)
    }
    if (this.closed || this.wanted?.picture !== wanted.picture) return
    // A failed load resolves too: what counts is the image that is here.
    if (cache.getImage(imageId) && this.viewport.getCornerstoneImage()?.imageId === imageId) {
      this.loaded.add(imageId)
      this.follow()
    } else this.failed(imageId)
    void this.fill()
  }

  /** Puts the camera where the sight says, and the window. */
  private follow(): void {
    const { wanted, viewport } = this
    if (!wanted || viewport.getCornerstoneImage?.()?.imageId !== wanted.picture.imageId) return
    const image = viewport.getImageData()?.imageData
    const { focalPoint, position } = viewport.getCamera()
    if (!image?.indexToWorld || !focalPoint || !position) return
    const { sight, plane } = wanted
    const to = image.indexToWorld([sight.x - 0.5, sight.y - 0.5, 0]) as Types.Point3
    const [, tall = 1] = image.getSpacing?.() ?? []
    const size = { width: this.element.clientWidth, height: this.element.clientHeight }
    if (size.width === 0 || size.height === 0) return
    viewport.setCamera({
      focalPoint: to,
      position: [0, 1, 2].map(
        (axis) => (position[axis] ?? 0) + (to[axis] ?? 0) - (focalPoint[axis] ?? 0),
      ) as Types.Point3,
      parallelScale: ((size.height / 2) * tall) / (scaleOf(plane, size, sight.zoom) * plane.down),
    })
    if (sight.voi) {
      const { center, width } = sight.voi
      viewport.setProperties({ voiRange: { lower: center - width / 2, upper: center + width / 2 } })
    } else if (this.windowed) viewport.resetProperties()
    this.windowed = sight.voi !== undefined
    this.placed = wanted.picture.imageId
    viewport.render()
  }

  /** Neighbours, one after another: the next slice is the one that will be asked for. */
  private async fill(): Promise<void> {
    if (this.filling) return
    this.filling = true
    for (let next = this.next(); next && !this.closed; next = this.next()) {
      const { imageId } = next
      try {
        await imageLoader.loadAndCacheImage(imageId)
        this.loaded.add(imageId)
      } catch {
        this.failures.add(imageId)
      }
      if (!this.closed) this.tell()
    }
    this.filling = false
  }

  private next(): Picture | undefined {
    if (!this.wanted || !this.free()) return undefined
    for (const one of this.loaded) if (!cache.getImageLoadObject(one)) this.loaded.delete(one) // the memory was needed
    const { index } = this.wanted
    const [ahead, back] = this.all ? [this.pictures.length, this.pictures.length] : [after, before]
    const [up, down] = this.forward ? [ahead, back] : [back, ahead]
    let held = 0
    for (let away = 0; away <= Math.max(up, down); away++)
      for (const [step, far] of [
        [away, up],
        [-away, down],
      ] as const) {
        const picture = away <= far ? this.pictures[index + step] : undefined
        if (!picture || (away === 0 && step !== 0)) continue
        const { imageId } = picture
        if (this.failures.has(imageId)) continue
        if (!this.loaded.has(imageId)) return held < this.budget * 0.8 ? picture : undefined
        held += cache.getImage(imageId)?.sizeInBytes ?? 0
      }
    return undefined
  }

  /** Off the screen, and off the canvas too: what is not the wanted image stays nowhere. */
  private uncover(shown: boolean): void {
    this.element.style.visibility = shown ? 'visible' : 'hidden'
    const canvas = this.element.querySelector('canvas')
    if (!shown && canvas) canvas.getContext('2d')?.clearRect(0, 0, canvas.width, canvas.height)
  }
}
