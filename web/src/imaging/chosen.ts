// What a person chose or dropped, as files to be read one after another: a folder, a CD, a zip archive of either.
import { kindOf, made, type Subject } from './made'
import type { Refusal } from './upload'
import { BadZip, isZip, type Source, unzip } from './zip'

const hidden = (name: string) => /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/i.test(name)

/** The case that photos and documents are made objects of. */
export type Making = { id: string; about: Subject }

/**
 * Archives are opened; one that cannot be is told, and what stands beside it is taken. Photos and documents become
 * objects only where `making` says of whom: a folder or CD holds pictures that are none of the patient's.
 */
export async function sourcesIn(
  files: readonly File[],
  making?: Making,
): Promise<{ sources: Source[]; refused: Refusal[] }> {
  const sources: Source[] = []
  const refused: Refusal[] = []
  for (const file of files) {
    const name = file.webkitRelativePath || file.name
    if (hidden(name)) continue
    try {
      if (await isZip(file)) sources.push(...(await unzip(file)).filter((one) => !hidden(one.name)))
      else sources.push((making && (await fresh(file, making))) || { name, size: file.size, read: async () => file })
    } catch (error) {
      refused.push(
        error instanceof BadZip
          ? { file: name, why: `zip_${error.why}`, detail: '' }
          : { file: name, why: 'unreadable', detail: '' },
      )
    }
  }
  return { sources, refused }
}

/** A photo or document as the object that it becomes, made once. */
async function fresh(file: File, { id, about }: Making): Promise<Source | undefined> {
  const kind = await kindOf(file)
  if (!kind) return undefined
  let object: Promise<Blob> | undefined
  const read = () => {
    object ??= made(file, kind, id, about)
    return object
  }
  return { name: file.name, size: file.size, read }
}

/** Files of what was dropped; folders are walked through. */
export async function dropped(transfer: DataTransfer | null): Promise<File[]> {
  const roots = [...(transfer?.items ?? [])].flatMap((item) => item.webkitGetAsEntry() ?? [])
  if (roots.length === 0) return [...(transfer?.files ?? [])]
  const found: File[] = []
  const walk = async (entry: FileSystemEntry): Promise<void> => {
    if (entry.isFile) found.push(await new Promise<File>((is, no) => (entry as FileSystemFileEntry).file(is, no)))
    if (!entry.isDirectory) return
    const reader = (entry as FileSystemDirectoryEntry).createReader()
    // A reader gives a hundred at a time, and none when it is through.
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((is, no) => reader.readEntries(is, no))
      if (some.length === 0) return
      for (const one of some) await walk(one)
    }
  }
  for (const root of roots) await walk(root)
  return found
}
