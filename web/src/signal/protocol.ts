// The wire protocol, version 1, as signaling/PROTOCOL.md words it.

import type { Quality } from './quality'

export const VERSION = 1

export type Source = 'microphone' | 'camera' | 'screen' | 'screen_audio'
/** Instruments come by WHIP; pages never send these. */
export type Instrument = 'ultrasound' | 'otoscope' | 'endoscope' | 'room_camera'
export type Kind = 'audio' | 'video'
export type Presence = 'waiting' | 'live' | 'reconnecting'
export type Side = 'publish' | 'subscribe'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export type SeatTrack = { id: string; source: Source | Instrument; kind: Kind; muted: boolean }

/** What a seat says of its line: no pictures are sent to who wants none; `limit` is a rung of the ladder, or `drip`. */
export type SeatLine = { pictures: boolean; limit: string; light: string }

export type Seat = {
  seat: string
  name: string
  role: string
  presence: Presence
  tracks: SeatTrack[]
  line: SeatLine
}

export type OfferedTrack = { mid: string; id: string; seat: string; source: Source | Instrument; kind: Kind }

export type AppMessage = {
  type: 'app'
  seq: number
  topic: string
  from: string
  /** Unix milliseconds of the server. */
  at: number
  data: Json
  keep?: boolean
  /** The sender's page and its number there. */
  page?: string
  number?: number
}

export type ErrorCode =
  | 'malformed'
  | 'too_fast'
  | 'ticket_missing'
  | 'ticket_invalid'
  | 'ticket_expired'
  | 'version'
  | 'replaced'
  | 'going_away'
  | 'bad_description'
  | 'media_failed'
  | 'room_locked'
  | 'room_full'
  | 'not_admitted'
  | 'no_right'
  | 'bad_app'
  | 'keep_full'

export type ErrorMessage = { type: 'error'; code: ErrorCode; zh: string; en: string; fatal: boolean }

export type AdmittedMessage = { type: 'admitted'; seats: Seat[]; seq: number; locked: boolean }

export type ServerMessage =
  | {
      type: 'joined'
      version: number
      seat: Seat
      session: string
      resumed: boolean
      rights: { publish: boolean; subscribe: boolean }
      seats: Seat[]
      seq: number
      locked: boolean
    }
  /** We wait, and somebody is there who may let us in: connections can be made. */
  | { type: 'prepare' }
  | AdmittedMessage
  | { type: 'lock'; locked: boolean }
  | { type: 'seat'; seat: Seat }
  | { type: 'gone'; seat: string; reason: 'left' | 'removed' | 'lost' }
  | { type: 'published'; offer: number; sdp: string }
  | { type: 'subscribe'; offer: number; sdp: string; tracks: OfferedTrack[] }
  | AppMessage
  /** What the others together watch of a track of ours, of each size that we send; one where there is one. */
  | { type: 'wanted'; source: Source; layers: boolean[]; rung: string }
  | { type: 'pong' }
  | { type: 'removed' }
  | { type: 'closed' }
  | ErrorMessage

export type ClientMessage =
  | { type: 'join'; version: number; ticket: string; session?: string; seen?: number }
  | { type: 'publish'; offer: number; sdp: string; sections: { mid: string; source: Source }[] }
  | { type: 'answer'; offer: number; sdp: string }
  | { type: 'candidate'; side: Side; candidate: RTCIceCandidateInit }
  | { type: 'restart'; side: 'subscribe' }
  | { type: 'mute'; source: Source; muted: boolean }
  | { type: 'app'; topic: string; data: Json; keep: boolean; page: string; number: number }
  | { type: 'line'; line: SeatLine }
  | { type: 'choose'; track: string; paused: boolean; layer: number }
  | { type: 'quality'; quality: Quality }
  | { type: 'ping' }
  | { type: 'leave' }

/** What the data channel brings from the others. */
export type PointerMessage = { seat: string; data: string }

/** Reads a message of our own server; undefined when it is not one. Unknown types come through and are passed over. */
export function parse<T extends object>(raw: string): T | undefined {
  try {
    const value: unknown = JSON.parse(raw)
    return typeof value === 'object' && value !== null ? (value as T) : undefined
  } catch {
    return undefined
  }
}
