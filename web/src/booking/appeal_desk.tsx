// The coordinator answers patients who asked people to look at an automatic refusal, the most urgent first.
import { useState } from 'preact/hooks'
import { get, post } from '../api/client'
import { useDeed, useResource } from '../api/resource'
import type { HumanReview } from '../api/types/booking'
import { moment } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Field, Loading, Notice, ProblemNote, useTitle } from '../ui/parts'
import { w } from './desk_words'

export function AppealDesk() {
  const queue = useResource('reviews', (signal) => get<HumanReview[]>('/reviews', signal), ['review.changed'])
  const [chosen, setChosen] = useState<string>()
  useTitle(w('rev.title'))
  const list = queue.value ?? []
  const current = list.find((one) => one.id === chosen) ?? list[0]
  return (
    <div class="columns list">
      <aside class="column" aria-label={w('rev.title')}>
        <h2>
          {w('rev.title')} {list.length}
        </h2>
        <ProblemNote problem={queue.problem} again={queue.refresh} />
        {!queue.value && !queue.problem && <Loading />}
        <div class="queue">
          {list.map((one) => (
            <button
              key={one.id}
              type="button"
              aria-current={one.id === current?.id ? 'true' : undefined}
              onClick={() => setChosen(one.id)}
              data-test="review"
            >
              <span class="top">
                <span>{one.name}</span>
                <span class="meta">
                  {Date.parse(one.due_at) < Date.now() ? w('rev.late') : w('rev.due', { at: moment(one.due_at) })}
                </span>
              </span>
              <span class="meta">{one.rules.join(' ')}</span>
            </button>
          ))}
        </div>
      </aside>
      <main class="column paper" id="content">
        {current ? (
          <Answering key={current.id} review={current} onDone={queue.refresh} />
        ) : (
          <>
            <h1 class="visually-hidden">{w('rev.title')}</h1>
            <div class="empty">
              <Icon name="people" />
              <p>{w('rev.empty')}</p>
              <p>{w('rev.empty.say')}</p>
            </div>
          </>
        )}
      </main>
    </div>
  )
}

function Answering({ review, onDone }: { review: HumanReview; onDone: () => void }) {
  const [answer, setAnswer] = useState('')
  const deed = useDeed()
  const send = (result: 'upheld' | 'corrected') =>
    void deed.run(async () => {
      await post<HumanReview>(`/reviews/${review.id}/answer`, { result, answer: answer.trim() })
      onDone()
    })
  const silent = answer.trim() === ''
  return (
    <>
      <h1>{review.name}</h1>
      <p class="meta">
        {moment(review.asked_at)} · {review.rules.join(' ')}
      </p>
      <dl class="facts">
        <dt>{w('rev.says')}</dt>
        <dd>{review.note || '—'}</dd>
      </dl>
      <a href={`/staff/decisions/${review.decision_id}`}>{w('rev.decision')}</a>
      <Notice tone="info">{w('rev.law')}</Notice>
      <ProblemNote problem={deed.problem} />
      <Field label={w('rev.answer')} name="answer" value={answer} onInput={setAnswer} lines={4} maxLength={1000} />
      {silent && <p class="meta">{w('rev.need')}</p>}
      <div class="row">
        <Button look="primary" busy={deed.busy} disabled={silent} onPress={() => send('upheld')} test="review-upheld">
          {w('rev.upheld')}
        </Button>
        <Button busy={deed.busy} disabled={silent} onPress={() => send('corrected')} test="review-corrected">
          {w('rev.corrected')}
        </Button>
      </div>
    </>
  )
}
