// Who is signed in, for the whole page.
import { signal } from '@preact/signals'
import { asProblem, get, type Problem, post } from './client'
import { closeStream, openStream } from './live'
import type { Me } from './types/identity'

export type Session =
  | { state: 'asking' }
  | { state: 'out' }
  | { state: 'in'; me: Me }
  | { state: 'unknown'; problem: Problem }

export const session = signal<Session>({ state: 'asking' })

export async function askSession(): Promise<void> {
  try {
    signedIn(await get<Me>('/me'))
  } catch (error) {
    const problem = asProblem(error)
    session.value = problem.status === 401 || problem.status === 403 ? { state: 'out' } : { state: 'unknown', problem }
  }
}

export function signedIn(me: Me): void {
  session.value = { state: 'in', me }
  openStream()
}

export async function signOut(): Promise<void> {
  await post<void>('/auth/signout')
  closeStream()
  session.value = { state: 'out' }
}

/** The signed-in person; only for screens that exist after sign-in. */
export function me(): Me {
  if (session.value.state !== 'in') throw new Error('this screen needs a signed-in person')
  return session.value.me
}
