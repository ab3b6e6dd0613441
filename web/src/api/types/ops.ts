// How the calls fare. Field names are the server's.
import type { Ticket } from './visit'

export type CallQuality = {
  seats: {
    seat: string
    seconds: number
    rtt_ms: number
    loss: number
    concealed: number
    freezes: number
    up_kbps: number
    down_kbps: number
    relay: number
    sound_only: number
    lowest: string
  }[]
  gaps: { seat: string; from: string; to?: string }[]
}
export type Calls = {
  since: string
  hours: {
    hour: string
    visits: number
    reports: number
    rtt_p50_ms: number
    rtt_p95_ms: number
    loss_p95: number
    concealed_p95: number
    relay: number
    tcp: number
    sound_only: number
    gaps: number
  }[]
  worst: {
    id: string
    at: string
    institution: string
    seat: string
    rtt_ms: number
    loss: number
    concealed: number
    relay: number
    sound_only: number
    gaps: number
  }[]
}

export type NetworkCheck = {
  socket: string
  seats: Pick<Ticket, 'ticket' | 'ice_servers' | 'expires'>[]
  expires: string
}
