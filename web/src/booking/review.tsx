// The patient asks people to look at a refusal, and reads what they found. The draft of the booking is kept meanwhile.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { HumanReview } from '../api/types/booking'
import { moment } from '../i18n/format'
import { Button, Field, Notice, ProblemNote } from '../ui/parts'
import { w } from './words'

export function ReviewBox({ decision }: { decision: string }) {
  const asked = useResource(
    `review ${decision}`,
    (signal) => get<HumanReview[]>(`/decisions/${decision}/reviews`, signal),
    ['review.changed'],
  )
  const [open, setOpen] = useState(false)
  const [note, setNote] = useState('')
  const deed = useDeed()
  const review = asked.value?.[0]
  if (review?.result)
    return (
      <Notice tone={review.result === 'corrected' ? 'ok' : 'info'} title={w(`rev.${review.result}`)} live>
        <p>{review.answer}</p>
        <p class="meta">{w('rev.by', { name: review.answered_by ?? '' })}</p>
      </Notice>
    )
  if (review) return <Notice tone="info" title={w('rev.asked', { at: moment(review.due_at) })} live />
  if (!open)
    return (
      <Button onPress={() => setOpen(true)} icon="people" test="ask-review">
        {w('rev.ask')}
      </Button>
    )
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        void deed.run(async () =>
          asked.set([await post<HumanReview>(`/decisions/${decision}/review`, { note: note.trim() })]),
        )
      }}
    >
      <ProblemNote problem={deed.problem} />
      <Field label={w('rev.note')} name="review" value={note} onInput={setNote} lines={3} maxLength={1000} />
      <Button look="primary" type="submit" busy={deed.busy} test="send-review">
        {w('rev.send')}
      </Button>
    </form>
  )
}
