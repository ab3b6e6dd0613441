// What stands over an image: nothing in place of one that is not there, its slice and window, what is a preview, and
// what the originals would take of the memory.
import { bytes } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button } from '../ui/parts'
import type { Opening } from './opening'
import type { Plane, Voi } from './sight'
import { w } from './words'

/** Over the empty canvas: why nothing is there, or that it is on its way. */
export function Blank({ opening: { held, state, problem }, wrong }: { opening: Opening; wrong: boolean }) {
  const sentence = !held
    ? w('img.viewer')
    : held.pictures.length === 0
      ? w('img.noplane')
      : w('img.loading', { n: state.current.index + 1 })
  return (
    <div class="failed" role={wrong ? 'alert' : 'status'} data-test="blank">
      {wrong ? (
        <>
          <Icon name="warn" />
          <span>{problem === 'refused' ? w('img.refused') : w('img.err')}</span>
        </>
      ) : (
        <span class="meta">{sentence}</span>
      )}
    </div>
  )
}

export function Corners({
  opening: { held, state, stack, budget, other, tooBig, over, agree },
  voi,
  plane,
  drawn,
  wrong,
  measures,
}: {
  opening: Opening
  voi: Voi | undefined
  plane: Plane | undefined
  drawn: boolean
  wrong: boolean
  /** A measuring tool is in the hand. */
  measures: boolean
}) {
  const count = held?.pictures.length ?? 0
  if (!held || count === 0) return null
  return (
    <>
      <span class="corner tr">{w('img.slice', { n: state.current.index + 1, m: count })}</span>
      {voi && <span class="corner bl">{w('img.window', { w: Math.round(voi.width), c: Math.round(voi.center) })}</span>}
      <span class="corner br" data-test="prepared">
        {w('img.prepared', { a: Math.min(held.previews.ready(), count), b: stack.current?.ready() ?? 0, m: count })}
      </span>
      {!drawn && !wrong && (
        <span class="corner tc badge" role="status" data-test="badge">
          {w('img.pre')}
        </span>
      )}
      {measures && !drawn && !wrong && <span class="corner bc">{w('mark.wait')}</span>}
      {measures && drawn && plane && !plane.mm && <span class="corner bc">{w('img.noscale')}</span>}
      {(tooBig || over) && (
        <div class="gate" data-test="memory-gate">
          <p>
            {tooBig
              ? w('img.toobig', { a: bytes(held.largest), b: bytes(budget) })
              : w(other.bytes > 0 ? 'img.over.both' : 'img.over', {
                  a: bytes(held.bytes + other.bytes),
                  b: bytes(budget),
                })}
          </p>
          {!tooBig && (
            <Button look="primary" onPress={agree} test="open-originals">
              {w('img.open')}
            </Button>
          )}
        </div>
      )}
    </>
  )
}
