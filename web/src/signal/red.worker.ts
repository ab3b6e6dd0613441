// Stands between the encoder of our sound and the network (WebRTC Encoded Transform). A depth comes by the port of its sender.
import { Repeater } from './red'

/** What lib.dom does not name, for it is the worker's. */
type TransformEvent = Event & {
  transformer: { readable: ReadableStream<Sound>; writable: WritableStream<Sound>; options: MessagePort }
}
type Sound = RTCEncodedAudioFrame & { getMetadata(): { mimeType?: string; rtpTimestamp?: number } }

addEventListener('rtctransform', (event) => {
  const { transformer } = event as TransformEvent
  const repeater = new Repeater()
  transformer.options.onmessage = ({ data }) => {
    repeater.depth = data as number
  }
  const through = new TransformStream<Sound, Sound>({
    transform(frame, controller) {
      const { mimeType, rtpTimestamp } = frame.getMetadata()
      if (mimeType === 'audio/red' && rtpTimestamp !== undefined) {
        const data = new Uint8Array(frame.data)
        const packet = repeater.repeat(data, rtpTimestamp)
        if (packet !== data) frame.data = packet.buffer as ArrayBuffer
      }
      controller.enqueue(frame)
    },
  })
  transformer.readable.pipeThrough(through).pipeTo(transformer.writable)
})
postMessage('ready')
