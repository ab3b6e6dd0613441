// An expert's opinion as it looks on paper, read from the text that is signed.
import type { Opinion } from '../api/types'
import type { Paper } from '../ui/sign'
import { w } from './words'

export function opinionPaper(canonical: string): Paper {
  const { content } = JSON.parse(canonical) as { content: Opinion }
  return [
    ...(content.stance ? [{ label: w('o.stance'), text: [w(`stance.${content.stance}`)] }] : []),
    { label: w('c.findings'), text: [content.findings] },
    { label: w('c.advice'), text: [content.advice] },
  ]
}
