// The two ways to a room: with a session, as patient or doctor of the visit; or with the token of a seat, by link.
import { call, file } from '../api/client'
import type { Instrument, InstrumentPass, RoomLink, Seated, Ticket, VisitMessage, VisitRecording } from '../api/types'

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
  /** The doctor's: asks everybody. */
  record?: () => Promise<VisitRecording>
  /** Undefined for who came by link: they bring nobody. */
  invite?: (kind: LinkKind) => Promise<RoomLink>
  /** Undefined for who brings no instruments. */
  rack?: Rack
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
  }
}

export const visitDoor = (visit: string): Door => ({
  ...door(`/visits/${visit}`, `/visits/${visit}/ticket`, {}),
  record: () => call('POST', `/visits/${visit}/recording`),
  invite: (kind) => call('POST', `/visits/${visit}/links`, { body: { kind } }),
})

export function seatDoor(token: string, role = ''): Door {
  const headers = { 'Yuanzhen-Seat': token }
  const brings = ['village_doctor', 'colleague', 'host'].includes(role)
  return { ...door('/seat', '/seat/ticket', headers), ...(brings ? { rack: rack('/seat', headers) } : {}) }
}

export const arrive = (body: { secret: string; name?: string; role?: string; relation?: string }): Promise<Seated> =>
  call('POST', '/seat', { body })
