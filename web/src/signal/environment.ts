import { straightFirst } from './ways'

/** What the client needs of a browser. */
export type Environment = {
  socket: (url: string) => WebSocket
  peer: (servers: RTCIceServer[]) => RTCPeerConnection
  /** Whether the straight way to the server is tried alone at first. */
  straight: () => boolean
  now: () => number
  random: () => number
  /** Calls back when the network or the page came back, and says which; returns how to stop listening. */
  awake: (callback: (what: 'network' | 'page') => void) => () => void
}

export const browser: Environment = {
  socket: (url) => {
    const absolute = new URL(url, location.href)
    absolute.protocol = absolute.protocol.replace('http', 'ws')
    return new WebSocket(absolute)
  },
  peer: (servers) => new RTCPeerConnection({ iceServers: servers, bundlePolicy: 'max-bundle' }),
  straight: straightFirst,
  now: () => performance.now(),
  random: Math.random,
  awake: (callback) => {
    const visible = () => document.visibilityState === 'visible' && callback('page')
    const online = () => callback('network')
    addEventListener('online', online)
    document.addEventListener('visibilitychange', visible)
    return () => {
      removeEventListener('online', online)
      document.removeEventListener('visibilitychange', visible)
    }
  },
}
