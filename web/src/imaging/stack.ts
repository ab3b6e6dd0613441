// A stack of images on a canvas: Cornerstone3D, loaded when a study is first opened. Never shows another image than the
// one it names: what is wanted and what is drawn are compared after every drawing.
import {
  cache,
  Enums,
  eventTarget,
  imageLoader,
  init as initCore,
  RenderingEngine,
  type Types,
} from '@cornerstonejs/core'
import { init as initLoader, wadors } from '@cornerstonejs/dicom-image-loader'
import type { Voi } from './share'
import type { Picture } from './study'

export type StackView = {
  index: number
  count: number
  /** The wanted image is the drawn one. */
  drawn: boolean
  failed: boolean
  voi: Voi
  zoom: number
  /** Image column and row in the middle of the view. */
  x: number
  y: number
  ready: number
}

const budget = 512 * 1024 * 1024 // bytes of decoded images kept; the reference PC has 4 GB
const ahead = 4 // images loaded at a time in the background

let started: Promise<void> | undefined

function start(): Promise<void> {
  started ??= (async () => {
    await initCore()
    initLoader({ maxWebWorkers: Math.max(1, Math.min(3, (navigator.hardwareConcurrency || 2) - 1)) })
    cache.setMaxCacheSize(budget)
  })()
  return started
}

let engines = 0

export class Stack {
  private readonly engine: RenderingEngine
  private readonly viewport: Types.IStackViewport
  private pictures: Picture[] = []
  private wanted = -1
  private failed = new Set<string>()
  private loaded = new Set<string>()
  private turn = 0
  private drawnId = ''
  private readonly watch: ResizeObserver
  private readonly off: (() => void)[] = []

  /** Attaches to an element that has a size. */
  static async open(element: HTMLDivElement, onView: (view: StackView) => void): Promise<Stack> {
    await start()
    return new Stack(element, onView)
  }

  private constructor(
    private readonly element: HTMLDivElement,
    private readonly onView: (view: StackView) => void,
  ) {
    this.engine = new RenderingEngine(`yz-${++engines}`)
    this.engine.enableElement({ viewportId: 'stack', element, type: Enums.ViewportType.STACK })
    this.viewport = this.engine.getViewport('stack') as Types.IStackViewport
    const on = (target: EventTarget | HTMLDivElement, name: string, hear: (event: Event) => void) => {
      target.addEventListener(name, hear)
      this.off.push(() => target.removeEventListener(name, hear))
    }
    on(element, Enums.Events.STACK_NEW_IMAGE, (event) => {
      this.drawnId = (event as CustomEvent<{ imageId: string }>).detail.imageId
    })
    on(element, Enums.Events.IMAGE_RENDERED, () => this.tell())
    const failing = (event: Event) => {
      const { imageId } = (event as CustomEvent<{ imageId?: string }>).detail
      if (imageId) this.failed.add(imageId)
      this.tell()
    }
    const target = eventTarget as unknown as EventTarget
    on(target, Enums.Events.IMAGE_LOAD_ERROR, failing)
    on(target, Enums.Events.IMAGE_LOAD_FAILED, failing)
    on(target, Enums.Events.IMAGE_LOADED, (event) => {
      const { image } = (event as CustomEvent<{ image: { imageId: string } }>).detail
      this.loaded.add(image.imageId)
      this.tell()
    })
    this.watch = new ResizeObserver(() => {
      this.engine.resize(true, true)
    })
    this.watch.observe(element)
  }

  async load(pictures: Picture[], index: number): Promise<void> {
    const turn = ++this.turn
    this.pictures = pictures
    this.failed.clear()
    this.loaded.clear()
    this.drawnId = ''
    this.wanted = Math.min(Math.max(0, index), pictures.length - 1)
    for (const { imageId, instance } of pictures) wadors.metaDataManager.add(imageId, instance as never)
    this.tell()
    const chosen = pictures[this.wanted]
    if (!chosen) return
    try {
      await this.viewport.setStack(
        pictures.map(({ imageId }) => imageId),
        this.wanted,
      )
    } catch {
      this.failed.add(chosen.imageId)
    }
    if (turn !== this.turn) return
    this.viewport.render()
    this.tell()
    void this.fetchAll(turn)
  }

  /** Neighbours first: the next slice is the one that will be asked for. */
  private async fetchAll(turn: number): Promise<void> {
    const order = this.pictures
      .map(({ imageId }, index) => ({ imageId, away: Math.abs(index - this.wanted) }))
      .sort((a, b) => a.away - b.away)
      .map(({ imageId }) => imageId)
    const worker = async () => {
      for (;;) {
        const imageId = order.shift()
        if (!imageId || turn !== this.turn) return
        try {
          await imageLoader.loadAndCacheImage(imageId)
          this.loaded.add(imageId)
        } catch {
          this.failed.add(imageId)
        }
        if (turn === this.turn) this.tell()
      }
    }
    await Promise.all(Array.from({ length: ahead }, worker))
  }

  async show(index: number): Promise<void> {
    const to = Math.min(Math.max(0, index), this.pictures.length - 1)
    const picture = this.pictures[to]
    if (to === this.wanted || !picture) return
    this.wanted = to
    this.tell()
    try {
      await this.viewport.setImageIdIndex(to)
    } catch {
      this.failed.add(picture.imageId)
    }
    this.tell()
  }

  picture(): Picture | undefined {
    return this.pictures[this.wanted]
  }

  indexOf(sop: string, frame: number): number {
    return this.pictures.findIndex((one) => one.sop === sop && one.frame === frame)
  }

  window({ center, width }: Voi): void {
    this.viewport.setProperties({ voiRange: { lower: center - width / 2, upper: center + width / 2 } })
    this.viewport.render()
  }

  resetWindow(): void {
    this.viewport.resetProperties()
    this.viewport.render()
  }

  reset(): void {
    this.viewport.resetCamera()
    this.resetWindow()
  }

  zoom(factor: number): void {
    this.viewport.setZoom(Math.min(20, Math.max(0.2, factor)))
    this.viewport.render()
  }

  /** Brings an image point to the middle of the view. */
  centre(x: number, y: number): void {
    const image = this.grid()
    if (!image) return
    const { focalPoint, position } = this.viewport.getCamera()
    if (!focalPoint || !position) return
    const [, , slice = 0] = image.toIndex(focalPoint)
    const to = image.toWorld([x, y, slice])
    const shifted = (point: Types.Point3): Types.Point3 => [
      point[0] + (to[0] ?? 0) - focalPoint[0],
      point[1] + (to[1] ?? 0) - focalPoint[1],
      point[2] + (to[2] ?? 0) - focalPoint[2],
    ]
    this.viewport.setCamera({ focalPoint: shifted(focalPoint), position: shifted(position) })
    this.viewport.render()
  }

  /** Moves the view by pixels of the screen. */
  drag(dx: number, dy: number): void {
    const { width, height } = this.element.getBoundingClientRect()
    const at = this.toImage(width / 2 - dx, height / 2 - dy)
    if (at) this.centre(at.x, at.y)
  }

  /** Image column and row under a point of the element; undefined outside the image or without one. */
  toImage(left: number, top: number): { x: number; y: number } | undefined {
    const image = this.grid()
    if (!image) return undefined
    const [x, y] = image.toIndex(this.viewport.canvasToWorld([left, top]))
    return x === undefined || y === undefined ? undefined : { x, y }
  }

  /** Where an image point is drawn in the element. */
  toScreen(x: number, y: number): { left: number; top: number } | undefined {
    const image = this.grid()
    const focal = this.viewport.getCamera().focalPoint
    if (!image || !focal) return undefined
    const [, , slice = 0] = image.toIndex(focal)
    const world = image.toWorld([x, y, slice])
    const [left, top] = this.viewport.worldToCanvas([world[0] ?? 0, world[1] ?? 0, world[2] ?? 0])
    return { left, top }
  }

  /** Between places in space and columns, rows of the drawn image. */
  private grid() {
    const image = this.viewport.getImageData()?.imageData
    const { worldToIndex, indexToWorld } = image ?? {}
    return worldToIndex && indexToWorld ? { toIndex: worldToIndex, toWorld: indexToWorld } : undefined
  }

  view(): StackView {
    const picture = this.picture()
    const range = this.viewport.getProperties().voiRange
    const voi = range
      ? { center: (range.lower + range.upper) / 2, width: range.upper - range.lower }
      : { center: 0, width: 1 }
    const { clientWidth, clientHeight } = this.element
    const middle = this.toImage(clientWidth / 2, clientHeight / 2) ?? { x: 0, y: 0 }
    const failed = picture !== undefined && this.failed.has(picture.imageId)
    return {
      index: this.wanted,
      count: this.pictures.length,
      drawn: picture !== undefined && !failed && this.drawnId === picture.imageId,
      failed,
      voi,
      zoom: this.viewport.getZoom(),
      ...middle,
      ready: this.loaded.size,
    }
  }

  close(): void {
    this.turn++
    this.watch.disconnect()
    for (const off of this.off) off()
    this.engine.destroy()
  }

  private tell(): void {
    this.onView(this.view())
  }
}
