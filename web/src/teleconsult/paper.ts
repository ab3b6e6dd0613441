// An expert's opinion as it looks on paper, read from the text that is signed.
import type { Opinion } from '../api/types/teleconsult'
import type { Paper } from '../ui/sign'
import { w } from './words'

export function opinionPaper(canonical: string): Paper {
  const { content, shown } = JSON.parse(canonical) as { content: Opinion; shown?: { batches: number; sha256: string } }
  return [
    ...(content.stance ? [{ label: w('o.stance'), text: [w(`stance.${content.stance}`)] }] : []),
    { label: w('c.findings'), text: [content.findings] },
    { label: w('c.advice'), text: [content.advice] },
    ...(shown && shown.batches > 0
      ? [{ label: w('c.shown'), text: [w('c.shown.n', { n: shown.batches }), `SHA-256 ${shown.sha256}`] }]
      : []),
  ]
}
