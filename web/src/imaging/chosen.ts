// What a person chose or dropped, as files to be read one after another: a folder, a CD, a zip archive of either.
import type { Refusal } from './upload'
import { BadZip, isZip, type Source, unzip } from './zip'

const hidden = (name: string) => /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/i.test(name)

/** Archives are opened; one that cannot be is told, and what stands beside it is taken. */
export async function sourcesIn(files: readonly File[]): Promise<{ sources: Source[]; refused: Refusal[] }> {
  const sources: Source[] = []
  const refused: Refusal[] = []
  for (const file of files) {
    const name = file.webkitRelativePath || file.name
    if (hidden(name)) continue
    try {
      if (await isZip(file)) sources.push(...(await unzip(file)).filter((one) => !hidden(one.name)))
      else sources.push({ name, size: file.size, read: async () => file })
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
