import RedWorker from './red.worker?worker&inline'

// A sender takes a transform only when it is new, and then its sound goes through the worker for good. So the worker has to run
// before, without the network; a browser in which it does not repeats as it can by itself.
let worker: Worker | undefined
let ready = false

/** Starts the worker where the browser sends sound in RED and lets it be changed. */
export function prepareRepeats(): void {
  const red = globalThis.RTCRtpSender?.getCapabilities?.('audio')?.codecs.some(
    ({ mimeType }) => mimeType === 'audio/red',
  )
  if (worker || !red || !('RTCRtpScriptTransform' in globalThis)) return
  worker = new RedWorker()
  worker.onmessage = () => {
    ready = true
  }
}

/** Says how many frames before it each packet of this new sender repeats. */
export function repeats(sender: RTCRtpSender): (depth: number) => void {
  if (!worker || !ready) return () => undefined
  const { port1, port2 } = new MessageChannel()
  sender.transform = new RTCRtpScriptTransform(worker, port2, [port2])
  return (depth) => port1.postMessage(depth)
}
