// Names of diagnosis codes, from the house's table.
import { get, query } from '../api/client'
import { useResource } from '../api/resource'
import type { CodeRow } from '../api/types/common'
import { pick } from '../i18n/i18n'

/** A finer code than the table has bears its category's name. */
async function row(code: string, signal: AbortSignal): Promise<CodeRow | undefined> {
  const find = (q: string) => get<CodeRow[]>(`/icd10${query({ q })}`, signal)
  const own = (await find(code)).find((one) => one.code === code)
  const category = code.slice(0, 3)
  return own ?? (await find(category)).find((one) => one.code.startsWith(category))
}

/** Says a code with its name; the code alone until the name is known. */
export function useCodeNames(codes: readonly string[]): (code: string) => string {
  const found = useResource(codes.length > 0 ? `icd10 ${codes.join(' ')}` : undefined, async (signal) => {
    const rows = await Promise.all(codes.map((code) => row(code, signal)))
    return new Map(codes.map((code, index) => [code, rows[index]]))
  })
  return (code) => {
    const known = found.value?.get(code)
    return known ? `${code} ${pick(known.name)}` : code
  }
}
