// The marks of a consult as a list: each a way to its image; and what becomes of two changes of one mark.
import { Button, Notice } from '../ui/parts'
import { isGone, type Mark } from './marks'
import type { Clash } from './marks_store'
import { w } from './words'

/** Key images of a slide are told apart by how close they are. */
const named = ({ tool, text }: Mark) => `${w(`tool.${tool}`)}${tool === 'key' && text ? ` ${text}` : ''}`

export function MarkList({
  marks,
  may,
  clash,
  onSettle,
  onGo,
  onRemove,
}: {
  marks: readonly Mark[]
  may: boolean
  clash: Clash | undefined
  onSettle: (way: 'mine' | 'both' | 'theirs') => void
  onGo: (mark: Mark) => void
  onRemove: (mark: Mark) => void
}) {
  return (
    <section class="stack" data-test="mark-list" data-count={marks.length}>
      <h2>{w('mark.title')}</h2>
      {clash && (
        <div role="alert" data-test="clash">
          <Notice tone="warn" title={w(isGone(clash.theirs) ? 'mark.gone' : 'mark.clash', { name: clash.name })}>
            <div class="row">
              {!isGone(clash.theirs) && (
                <Button onPress={() => onSettle('mine')} test="clash-mine">
                  {w('mark.clash.mine')}
                </Button>
              )}
              <Button onPress={() => onSettle('both')} test="clash-both">
                {w('mark.clash.both')}
              </Button>
              <Button onPress={() => onSettle('theirs')} test="clash-theirs">
                {w('mark.clash.theirs')}
              </Button>
            </div>
          </Notice>
        </div>
      )}
      {marks.length === 0 && <p class="meta">{w('mark.none')}</p>}
      <ul class="plain">
        {marks.map((mark) => (
          <li class="row" key={mark.id}>
            <Button look="quiet" onPress={() => onGo(mark)} test="go-mark">
              {w('mark.of', { what: named(mark), name: mark.author.name })}
            </Button>
            {may && (
              <Button
                look="quiet"
                icon="cross"
                title={`${w('mark.remove')} ${named(mark)}`}
                onPress={() => onRemove(mark)}
              >
                {w('mark.remove')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
