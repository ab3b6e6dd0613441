// Who somebody is, whom they care for, and with what they sign. Field names are the server's.
import type { Place } from './common'

export type Role = 'patient' | 'doctor' | 'pharmacist' | 'coordinator' | 'administrator' | 'regulator'

export type Me = {
  account_id: string
  name: string
  kind: 'patient' | 'staff'
  phone_masked?: string
  practitioner_id?: string
  title?: string
  roles: { role: Role; place: Place }[]
  persons: Person[]
  session_expires: string
}

export type Relation = 'self' | 'child' | 'parent' | 'spouse' | 'other'

export type Person = {
  id: string
  name: string
  relation: Relation
  sex: 'M' | 'F'
  birth_date: string
  age: number
  id_masked: string
  realname_level: number
  guardian_verified: boolean
}

export type NewPerson = { relation: Relation; name: string; id_type: '01'; id_no: string; region?: string }

export type RevokeReason = 'key_compromise' | 'ended'
export type Certificate = {
  key_id: string
  seal: boolean
  holder: string
  institution_id?: string
  alg: 'SM2' | 'Ed25519'
  issuer?: string
  serial?: string
  state: 'valid' | 'ended' | 'revoked'
  from: string
  until: string
  revoked_at?: string
  revoked_reason?: '' | 'superseded' | RevokeReason
}
export type CertificateHouse = { places: { id: string; name: string }[]; certificates: Certificate[] }
