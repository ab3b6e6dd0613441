// The two ways to a room: with a session, as one of those whose visit or consult it is; or with the token of a seat, by link.
import { call, file } from '../api/client'
import type { CallQuality } from '../api/types/ops'
import type {
  Companion,
  Instrument,
  InstrumentPass,
  RoomLink,
  Seated,
  Ticket,
  VisitMessage,
  VisitRecording,
  Watching,
} from '../api/types/visit'

export type LinkKind = RoomLink['kind']

/** The devices that send into a room: brought by its doctors, and by the village doctor at the patient's side. */
export type Rack = {
  list: (signal: AbortSignal) => Promise<Instrument[]>
  add: (kind: Instrument['kind'], name: string) => Promise<InstrumentPass>
  again: (id: string) => Promise<InstrumentPass>
  remove: (id: string) => Promise<Instrument[]>
}

export function rack(base: string, headers: Record<string, string> = {}): Rack {
  const all = `${base}/instruments`
  return {
    list: (signal) => call('GET', all, { headers, signal }),
    add: (kind, name) => call('POST', all, { headers, body: { kind, name } }),
    again: (id) => call('POST', `${all}/${id}/ticket`, { headers }),
    remove: (id) => call('POST', `${all}/${id}/remove`, { headers }),
  }
}

export type Door = {
  ticket: () => Promise<Ticket>
  messages: (signal: AbortSignal) => Promise<VisitMessage[]>
  say: (text: string, once: string) => Promise<VisitMessage>
  share: (file: File, once: string) => Promise<VisitMessage>
  open: (message: string) => Promise<Blob>
  recording: (signal: AbortSignal) => Promise<VisitRecording>
  answer: (agree: boolean, version: string) => Promise<VisitRecording>
  /** The address of a take of the recording. */
  take: (take: number) => string
  /** Undefined for who came by link: they bring nobody. */
  invite?: (kind: LinkKind) => Promise<RoomLink>
  /** Undefined for who brings no instruments. */
  rack?: Rack
  /** Undefined for who does not lead the room. */
  lead?: Lead
}

/** What those do who lead a room. */
export type Lead = {
  admit: (link: string) => Promise<Companion>
  remove: (link: string) => Promise<Companion>
  lock: (locked: boolean) => Promise<unknown>
  /** Asks everybody whether the room may be recorded. */
  record: () => Promise<VisitRecording>
}

/** A room by session: also who came by link, and what the lines were like. */
export type RoomDoor = Door & {
  companions: (signal: AbortSignal) => Promise<Companion[]>
  quality: (signal: AbortSignal) => Promise<CallQuality>
}

const form = (file: File) => {
  const form = new FormData()
  form.set('file', file)
  return form
}

function door(base: string, ticket: string, headers: Record<string, string>): Door {
  return {
    ticket: () => call('POST', ticket, { headers, body: {} }),
    messages: (signal) => call('GET', `${base}/messages`, { headers, signal }),
    say: (text, once) => call('POST', `${base}/messages`, { headers, body: { text }, once }),
    share: (file, once) => call('POST', `${base}/files`, { headers, form: form(file), once }),
    recording: (signal) => call('GET', `${base}/recording`, { headers, signal }),
    answer: (agree, version) =>
      call('POST', `${base}/recording/answer`, { headers, body: { agree, text_version: version } }),
    open: (message) => file(`${base}/files/${message}`, headers),
    take: (take) => `/api/v1${base}/recording/${take}`,
  }
}

/** The door of everybody who has a seat by right; those who lead get their keys with `leading`. */
function roomDoor(base: string): RoomDoor {
  return {
    ...door(base, `${base}/ticket`, {}),
    invite: (kind) => call('POST', `${base}/links`, { body: { kind } }),
    companions: (signal) => call('GET', `${base}/companions`, { signal }),
    quality: (signal) => call('GET', `${base}/quality`, { signal }),
  }
}

const leading = (base: string): RoomDoor & { lead: Lead; rack: Rack } => ({
  ...roomDoor(base),
  rack: rack(base),
  lead: {
    admit: (link) => call('POST', `${base}/companions/${link}/admit`),
    remove: (link) => call('POST', `${base}/companions/${link}/remove`),
    lock: (locked) => call('POST', `${base}/lock`, { body: { locked } }),
    record: () => call('POST', `${base}/recording`),
  },
})

export const visitDoor = (id: string) => roomDoor(`/visits/${id}`)
export const visitLead = (id: string) => leading(`/visits/${id}`)
export const consultDoor = (id: string) => roomDoor(`/teleconsults/${id}`)
export const consultLead = (id: string) => leading(`/teleconsults/${id}`)

export function seatDoor(token: string, role = ''): Door {
  const headers = { 'Yuanzhen-Seat': token }
  const brings = ['village_doctor', 'colleague', 'host'].includes(role)
  return { ...door('/seat', '/seat/ticket', headers), ...(brings ? { rack: rack('/seat', headers) } : {}) }
}

export const arrive = (body: { secret: string; name?: string; role?: string; relation?: string }): Promise<Seated> =>
  call('POST', '/seat', { body })

/** Whom an observer may watch now. */
export const watching = (token: string): Promise<Watching> =>
  call('POST', '/seat/watch', { headers: { 'Yuanzhen-Seat': token } })
