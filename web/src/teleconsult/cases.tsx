// Consults by whose move it is: a list on the left, the chosen case on the right.
import { useLocation, useRoute } from 'preact-iso'
import { get } from '../api/client'
import { useResource } from '../api/resource'
import { me } from '../api/session'
import type { Teleconsult } from '../api/types/teleconsult'
import { moment } from '../i18n/format'
import { Icon } from '../ui/icons'
import { Button, Loading, ProblemNote, useTitle } from '../ui/parts'
import { Case } from './case'
import { ClockTag, useNow } from './panels'
import { NewRequest } from './request'
import { left, partIn, stateTone, type Turn, turnOf } from './states'
import { w } from './words'

export type Box = 'mine' | 'expert' | 'coordinator'

/** A doctor's own requests stand under one heading, those for the doctor's opinion under the other. */
function theirs(box: Box, cases: Teleconsult[]): Teleconsult[] {
  const part = { mine: 'inviter', expert: 'expert', coordinator: undefined }[box]
  return part ? cases.filter((one) => partIn(me(), one) === part) : cases
}

export function Cases({ boxes }: { boxes: readonly Box[] }) {
  const { params } = useRoute()
  const { route } = useLocation()
  const all = useResource(
    `cases ${boxes.join(' ')}`,
    async (signal) =>
      Promise.all(
        boxes.map(async (box) => ({
          box,
          cases: theirs(box, await get<Teleconsult[]>(`/teleconsults?box=${box}`, signal)),
        })),
      ),
    ['teleconsult.changed'],
  )
  const chosen = params.id
  const now = useNow()
  // The list shows what a deed has just answered; its order follows from the server.
  const follow = (next?: Teleconsult) => {
    if (next && all.value)
      all.set(
        all.value.map(({ box, cases }) => ({ box, cases: cases.map((one) => (one.id === next.id ? next : one)) })),
      )
    all.refresh()
  }
  useTitle(w(boxes.includes('coordinator') ? 'list.board' : 'list.mine'))
  return (
    <div class="columns list">
      <aside class="column" aria-label={w('list.mine')}>
        <ProblemNote problem={all.problem} again={all.refresh} />
        {!all.value && !all.problem && <Loading />}
        {all.value?.map(({ box, cases }) => (
          <section key={box} class="stack">
            <div class="top">
              <h2>{w(box === 'mine' ? 'list.mine' : box === 'expert' ? 'list.expert' : 'list.board')}</h2>
              {box === 'mine' && (
                <Button look="primary" onPress={() => route('/staff/cases/new')} test="new-request">
                  {w('list.new')}
                </Button>
              )}
            </div>
            {cases.length === 0 && <p class="meta">{w(`list.empty.${box}`)}</p>}
            {box === 'coordinator' ? (
              <BoardQueue cases={cases} chosen={chosen} now={now} />
            ) : (
              <Queue cases={cases} chosen={chosen} now={now} />
            )}
          </section>
        ))}
      </aside>
      {chosen === 'new' ? (
        <NewRequest
          onSaved={(id) => {
            all.refresh()
            route(`/staff/cases/${id}`)
          }}
        />
      ) : chosen ? (
        <Case key={chosen} id={chosen} me={me()} onChanged={follow} />
      ) : (
        <main class="column paper" id="content">
          <h1 class="visually-hidden">{w('list.mine')}</h1>
          <div class="empty">
            <Icon name="people" />
            <p>{w('list.pick')}</p>
          </div>
        </main>
      )}
    </div>
  )
}

type QueueProps = { cases: Teleconsult[]; chosen: string | undefined; now: number }

const turns: readonly Turn[] = ['hospital', 'experts', 'inviter', 'over']

/** The coordinator's board: by whose move it is, the least time left first. */
function BoardQueue({ cases, chosen, now }: QueueProps) {
  const late = cases.filter((one) => (left(one, now) ?? 0) < 0).length
  return (
    <>
      <p class="row" role="status" data-test="board-counts">
        {turns.slice(0, 3).map((turn) => (
          <span key={turn} class="tag plain">
            {w(`turn.${turn}`)} {cases.filter((one) => turnOf(one) === turn).length}
          </span>
        ))}
        {late > 0 && <span class="tag danger">{w('turn.late', { n: late })}</span>}
      </p>
      {turns.map((turn) => {
        const theirs = cases.filter((one) => turnOf(one) === turn)
        if (theirs.length === 0) return null
        return (
          <section key={turn} class="stack" data-test={`turn-${turn}`}>
            <h3>{w(`turn.${turn}`)}</h3>
            <Queue cases={theirs} chosen={chosen} now={now} />
          </section>
        )
      })}
    </>
  )
}

function Queue({ cases, chosen, now }: QueueProps) {
  return (
    <div class="queue">
      {cases.map((one) => (
        <a
          key={one.id}
          href={`/staff/cases/${one.id}`}
          aria-current={one.id === chosen ? 'true' : undefined}
          data-test="case"
          data-state={one.state}
        >
          <span class="top">
            <span>{one.person.name}</span>
            <span class={`tag ${stateTone[one.state]}`}>{w(`state.${one.state}`)}</span>
          </span>
          <span>{one.question.slice(0, 28)}</span>
          <span class="meta">
            {one.inviter.institution.name} · {w(`kind.${one.kind}`)} · {w(`urgency.${one.urgency}`)}
            {one.start && ` · ${moment(one.start)}`}
          </span>
          <span class="row">
            <ClockTag one={one} now={now} />
            {one.critical.some(({ read_at }) => !read_at) && <span class="tag danger">{w('cv.title')}</span>}
          </span>
        </a>
      ))}
    </div>
  )
}
