// The room of a consult: people, the same image for all, and the expert's opinion beside it.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { useLocation, useRoute } from 'preact-iso'
import { asProblem, call, get, type Problem, post, put } from '../api/client'
import { onChange } from '../api/live'
import { useDeed, useResource } from '../api/resource'
import { me } from '../api/session'
import type { Stance, Teleconsult } from '../api/types/teleconsult'
import { clock } from '../i18n/format'
import { w as identity } from '../identity/words'
import { Compared } from '../imaging/compared'
import { MarkList } from '../imaging/mark_list'
import type { Gone, Mark } from '../imaging/marks'
import { Marks, type MarksView, noMarks } from '../imaging/marks_store'
import { noShare, Share, type ShareView } from '../imaging/share'
import { ShownLog, type ShownState } from '../imaging/shown_log'
import { dateOf } from '../imaging/study'
import { w as imaging } from '../imaging/words'
import { useKeys } from '../ui/keys'
import { Button, Field, Loading, Notice, ProblemNote, Select, useTitle } from '../ui/parts'
import { SignDialog } from '../ui/sign'
import { LineLight } from '../visit/call'
import { w as desk } from '../visit/desk_words'
import { Devices } from '../visit/devices'
import { consultLead } from '../visit/door'
import { Instruments } from '../visit/instruments'
import { ConsentDialog, RedLight } from '../visit/recording'
import { Room } from '../visit/room'
import { DeskChat, DeskDoor, DeskKeys, useRoomDesk } from '../visit/room_desk'
import { ShareScreen } from '../visit/share_screen'
import { Picture } from '../visit/waiting'
import { LineNote } from './line_note'
import { Critical, Reasoned } from './panels'
import { opinionPaper } from './paper'
import { PhraseBook } from './phrases'
import { maySee, ownOpinion, partIn, roomOpen } from './states'
import { openedOf } from './study'
import { w } from './words'

export function ReadingRoom() {
  const { params } = useRoute()
  const { route } = useLocation()
  const id = params.id ?? ''
  const found = useResource(`case ${id}`, (signal) => get<Teleconsult>(`/teleconsults/${id}`, signal), [
    'teleconsult.changed',
  ])
  useTitle(w('c.enter'))
  useEffect(() => {
    document.documentElement.classList.add('reading-room')
    return () => document.documentElement.classList.remove('reading-room')
  }, [])
  if (!found.value)
    return (
      <main class="column paper" id="content">
        <ProblemNote problem={found.problem} again={found.refresh} />
        {found.loading && <Loading />}
      </main>
    )
  if (!maySee(partIn(me(), found.value), found.value.state))
    return (
      <main class="column paper" id="content" data-test="refused">
        <h1>{w('c.refused')}</h1>
        <p>{w('c.closed')}</p>
        <div class="row">
          <Button icon="back" onPress={() => route(`/staff/cases/${id}`)}>
            {w('c.back')}
          </Button>
        </div>
      </main>
    )
  return <Inside one={found.value} onChanged={found.set} onBack={() => route(`/staff/cases/${id}`)} />
}

/** The presenter's state over the room's own channel; only ours is told apart from theirs here. */
function useShare(room: Room, name: string): { share: Share; view: ShareView } {
  const [view, setView] = useState<ShareView>(noShare)
  const share = useMemo(
    () =>
      new Share(
        {
          say: (topic, data, keep) => room.say(topic, data, keep),
          point: (text) => room.point(text),
          now: () => performance.now(),
          later: (deed, ms) => {
            const timer = setTimeout(deed, ms)
            return () => clearTimeout(timer)
          },
        },
        setView,
      ),
    [room],
  )
  useEffect(() => {
    const off = room.onSaid('view/', ({ topic, from, data }) => share.hear(topic, from, data))
    const offPointer = room.onPointed(({ seat, data }) => share.heardPointer(seat, data))
    return () => {
      off()
      offPointer()
    }
  }, [room, share])
  const { seat, remotes } = room.view.value
  const seats = remotes.map((remote) => remote.seat).join(' ')
  useEffect(() => share.people(seat, name, [seat, ...seats.split(' ')].filter(Boolean)), [share, seat, seats, name])
  return { share, view }
}

/** What we present is kept with the consult; a talk that is kept no longer is told once. */
function useShownLog(id: string): { log: ShownLog; refused: Problem | undefined } {
  const [refused, setRefused] = useState<Problem>()
  const log = useMemo(
    () =>
      new ShownLog(
        {
          send: async (states: ShownState[]) => void (await post(`/teleconsults/${id}/shown`, { states })),
          now: () => performance.now(),
          later: (deed, ms) => {
            const timer = setTimeout(deed, ms)
            return () => clearTimeout(timer)
          },
        },
        (error) => {
          const problem = asProblem(error)
          // The opinion was signed while the last of the talk was on its way: nothing to be told.
          if (problem.code !== 'teleconsult_moved_on') setRefused(problem)
        },
      ),
    [id],
  )
  useEffect(() => () => void log.flush(), [log])
  return { log, refused }
}

/** The marks of the consult: kept by the server, made quick by the room. */
function useMarks(id: string, room: Room, me: { id: string; name: string }): { marks: Marks; view: MarksView } {
  const [view, setView] = useState<MarksView>(noMarks)
  const marks = useMemo(() => {
    const at = `/teleconsults/${id}/marks`
    const read = (mark: Mark & { gone?: boolean }): Mark | Gone =>
      mark.gone ? { id: mark.id, rev: mark.rev, gone: true } : mark
    return new Marks(
      {
        list: async () => (await get<Mark[]>(at)).map(read),
        put: ({ author: _, id: mark, ...body }) => put<Mark>(`${at}/${mark}`, { ...body, id: mark }),
        remove: async (mark) => read(await call<Mark>('DELETE', `${at}/${mark.id}?rev=${mark.rev}`)) as Gone,
        say: (topic, data) => room.say(topic, data),
        now: () => performance.now(),
        later: (deed, ms) => {
          const timer = setTimeout(deed, ms)
          return () => clearTimeout(timer)
        },
        name: () => crypto.randomUUID(),
      },
      me,
      setView,
    )
  }, [id, room, me.id, me.name])
  useEffect(() => () => marks.close(), [marks])
  useEffect(() => {
    void marks.refresh()
    const offRoom = room.onSaid('mark/', ({ topic, from, data }) =>
      marks.hear(topic, from, from === room.view.value.seat, data),
    )
    const offHouse = onChange(['teleconsult.marked'], () => void marks.refresh())
    return () => {
      offRoom()
      offHouse()
    }
  }, [marks, room])
  return { marks, view }
}

function Inside({
  one,
  onChanged,
  onBack,
}: {
  one: Teleconsult
  onChanged: (next: Teleconsult) => void
  onBack: () => void
}) {
  const self = me()
  const part = partIn(self, one)
  const devices = useMemo(() => new Devices(), [])
  const door = useMemo(() => consultLead(one.id), [one.id])
  const room = useMemo(() => new Room(door.ticket, devices), [door, devices])
  const beside = useRoomDesk(one.id, door, room)
  const { share, view: shared } = useShare(room, self.name)
  const { marks, view: marked } = useMarks(one.id, room, { id: self.practitioner_id ?? '', name: self.name })
  const { log, refused } = useShownLog(one.id)
  const marking = useDeed()
  const [go, setGo] = useState<Mark>()
  const view = room.view.value
  const open = roomOpen(one)
  const all = openedOf(one)
  const [chosen, setChosen] = useState<string | undefined>(() => largest(one))
  const opened = all.find((each) => each.series === chosen)
  const mayMark = part !== 'coordinator' && (one.state === 'scheduled' || one.state === 'in_progress')

  useEffect(() => {
    if (open) void room.enter()
    return () => room.leave()
  }, [open, room])
  useEffect(() => () => devices.close(), [devices])
  useKeys({ F9: () => room.setMic(!room.view.value.mic) })

  // A follower goes to the series that is presented.
  const wanted = shared.following ? shared.shown?.series : undefined
  const known = useRef('')
  useEffect(() => {
    if (wanted && wanted !== known.current) setChosen(wanted)
    known.current = wanted ?? ''
  }, [wanted])

  const names = Object.fromEntries([
    [view.seat, self.name],
    ...view.remotes.map((remote) => [remote.seat, remote.name]),
  ])
  const deed = useDeed()
  const act = (path: string, body: object = {}) =>
    void deed.run(async () => onChanged(await post<Teleconsult>(`/teleconsults/${one.id}/${path}`, body)))
  const others = [
    ...(one.opinion
      ? [{ id: one.expert?.practitioner.id, name: one.expert?.practitioner.name ?? '', text: one.opinion }]
      : []),
    ...one.opinions.map((each) => ({ id: each.author.id, name: each.author.name, text: each })),
  ].filter(({ id, text }) => text.signed_at && id !== self.practitioner_id)
  return (
    <div class="reading reading-room" data-test="reading" data-phase={view.phase}>
      <aside class="column" aria-label={w('r.people')}>
        <Button look="quiet" icon="back" onPress={onBack}>
          {w('c.back')}
        </Button>
        <section class="stack">
          <h2>{w('r.people')}</h2>
          <RedLight on={view.recording} />
          <div class="tiles">
            {view.remotes.map((remote) => (
              <div class="tile" key={remote.seat} data-test="person">
                <Picture stream={remote.stream} label={remote.name} onHeight={remote.sized} />
                <LineLight light={remote.light} />
                <span class="who">{remote.name}</span>
              </div>
            ))}
            {view.local && view.camera && (
              <div class="tile">
                <Picture stream={view.local} muted mirror label={w('r.you')} />
                <span class="who">{w('r.you')}</span>
              </div>
            )}
          </div>
          {view.remotes.length === 0 && <p class="meta">{w(open ? 'r.alone' : 'l.written')}</p>}
          {view.phase === 'refused' ? (
            <p class="meta" role="status">
              {view.refusal}
            </p>
          ) : (
            open && <LineNote view={view} onSoundOnly={(only) => room.listenOnly(only)} />
          )}
          {open && (
            <div class="keys">
              <Button icon={view.mic ? 'mic' : 'micOff'} pressed={!view.mic} onPress={() => room.setMic(!view.mic)}>
                {view.mic ? desk('mute') : desk('unmute')}
              </Button>
              <Button
                icon={view.camera ? 'camera' : 'cameraOff'}
                pressed={!view.camera}
                onPress={() => room.setCamera(!view.camera)}
              >
                {view.camera ? desk('cam.off') : desk('cam.on')}
              </Button>
              <ShareScreen room={room} />
              <Instruments at={one.id} rack={door.rack} remotes={view.remotes} />
              <DeskKeys desk={beside} kinds={['companion', 'colleague', 'observer', 'device']} />
            </div>
          )}
          {(view.phase === 'live' || view.phase === 'reconnecting') && <DeskDoor desk={beside} />}
          <DeskChat desk={beside} />
          <ConsentDialog recording={beside.tape} />
        </section>
        <section class="stack">
          <h2>{w('r.series')}</h2>
          <div class="queue">
            {one.studies.flatMap((study) =>
              study.series.map((series) => (
                <button
                  key={series.series_uid}
                  type="button"
                  aria-current={series.series_uid === chosen ? 'true' : undefined}
                  onClick={() => setChosen(series.series_uid)}
                  data-test="series"
                >
                  <span class="top">
                    <span>
                      {series.modality} {series.description || study.description}
                    </span>
                  </span>
                  <span class="meta">
                    {[dateOf(study.study_date), imaging('img.count', { n: series.instances })]
                      .filter(Boolean)
                      .join(' · ')}
                  </span>
                </button>
              )),
            )}
          </div>
        </section>
        <MarkList
          marks={marked.marks}
          may={mayMark}
          clash={marked.clash}
          onSettle={(way) => void marking.run(() => marks.settle(way))}
          onGo={(mark) => {
            setChosen(mark.series)
            setGo({ ...mark })
          }}
          onRemove={(mark) => void marking.run(() => marks.remove(mark))}
        />
        <ProblemNote problem={marking.problem ?? refused} />
      </aside>
      {opened ? (
        <Compared
          all={all}
          opened={opened}
          share={shared}
          names={names}
          together={view.phase === 'live' || view.phase === 'reconnecting'}
          onMoved={(shown) => {
            share.moved(shown)
            if (shared.leading && mayMark) log.add(shown)
          }}
          onPoint={(at) => {
            share.point(at)
          }}
          onLead={() => share.lead()}
          onRelease={() => share.release()}
          onFollow={(on) => share.follow(on)}
          marking={{
            marks: marked.marks,
            drafts: marked.drafts,
            may: mayMark,
            draw: (on, shape) => marks.draw(on, shape),
            put: (changed, on, shape) => void marking.run(() => marks.put(changed, on, shape)),
            remove: (mark) => void marking.run(() => marks.remove(mark)),
          }}
          go={go?.series === opened.series ? go : undefined}
          onSeries={(by) => setChosen(all[all.indexOf(opened) + by]?.series ?? opened.series)}
        />
      ) : (
        <section class="viewer" aria-label={imaging('img.title')}>
          <div class="empty">{all.length === 0 ? imaging('img.none') : imaging('img.pick')}</div>
        </section>
      )}
      <main class="column" id="content">
        <h1>
          {one.person.name} {identity(`sex.${one.person.sex}`)} {identity('age', { n: one.person.age })}
        </h1>
        <div class="tight">
          <span class="meta">{w('c.question')}</span>
          <b>{one.question}</b>
        </div>
        {one.diagnosis && <p>{one.diagnosis}</p>}
        <p>{one.summary}</p>
        {one.labs && <p>{one.labs}</p>}
        <p class="meta">
          {one.inviter.practitioner.name} · {one.inviter.institution.name}
          {one.expert && ` → ${one.expert.practitioner.name} · ${one.expert.institution.name}`}
        </p>
        <ProblemNote problem={deed.problem} />
        {part !== 'coordinator' && (
          <div class="row">
            {(one.state === 'scheduled' || one.state === 'in_progress') && (
              <Button
                icon="camera"
                busy={deed.busy}
                onPress={() => act('live', { on: !one.live })}
                test={one.live ? 'go-back' : 'go-live'}
              >
                {w(one.live ? 'l.back' : 'l.live')}
              </Button>
            )}
            {part === 'expert' && tellable.includes(one.state) && (
              <Reasoned
                look="danger"
                label={w('cv.tell')}
                field={w('cv.what')}
                onSay={(reason) => act('critical', { reason })}
                test="critical-tell"
              />
            )}
          </div>
        )}
        <Critical one={one} reads={part === 'inviter'} act={act} busy={deed.busy} />
        {part === 'expert' && <OpinionEditor one={one} onChanged={onChanged} onSigning={() => log.flush()} />}
        {others.map(({ name, text }) => (
          <section class="card" key={name} data-test="opinion" data-signed="true">
            <b>{w('o.of', { name })}</b>
            <span class="row">
              <span class="tag ok">{w('c.signed', { at: clock(text.signed_at ?? '') })}</span>
              {text.content.stance && <span class="tag plain">{w(`stance.${text.content.stance}`)}</span>}
            </span>
            <dl class="facts">
              <dt>{w('c.findings')}</dt>
              <dd>{text.content.findings}</dd>
              <dt>{w('c.advice')}</dt>
              <dd>{text.content.advice}</dd>
            </dl>
          </section>
        ))}
        {part !== 'expert' && others.length === 0 && <p class="meta">{w('c.noopinion')}</p>}
      </main>
    </div>
  )
}

/** The series with the most images: usually the one the question is about. */
export function largest(one: Pick<Teleconsult, 'studies'>): string | undefined {
  return one.studies.flatMap((study) => study.series).sort((a, b) => b.instances - a.instances)[0]?.series_uid
}

/** States in which an expert may still tell of a critical value. */
const tellable: readonly Teleconsult['state'][] = ['scheduled', 'in_progress', 'opinion_signed', 'decided']

const joined = (text: string, phrase: string) =>
  text.trim() === '' ? phrase : `${text.trimEnd()}${/[。.；;]$/.test(text.trimEnd()) ? '' : '。'}${phrase}`

function OpinionEditor({
  one,
  onChanged,
  onSigning,
}: {
  one: Teleconsult
  onChanged: (next: Teleconsult) => void
  /** Nothing of the talk is taken after the signature. */
  onSigning: () => Promise<void>
}) {
  const who = me().practitioner_id
  const own = ownOpinion(one, who)
  const compares = one.expert?.practitioner.id !== who && one.opinion?.signed_at !== undefined
  const [findings, setFindings] = useState(own?.content.findings ?? '')
  const [advice, setAdvice] = useState(own?.content.advice ?? '')
  const [stance, setStance] = useState<Stance | ''>(own?.content.stance ?? '')
  const [saved, setSaved] = useState(own !== undefined)
  const [signing, setSigning] = useState(false)
  const deed = useDeed()
  const complete = findings.trim() !== '' && advice.trim() !== '' && (!compares || stance !== '')
  const save = async () => {
    const next = await put<Teleconsult>(`/teleconsults/${one.id}/opinion`, {
      findings: findings.trim(),
      advice: advice.trim(),
      ...(compares && stance ? { stance } : {}),
    })
    setSaved(true)
    onChanged(next)
  }
  const open = () => {
    if (complete)
      void deed.run(async () => {
        await onSigning()
        await save() // anew: the text that is signed names the talk up to now
        setSigning(true)
      })
  }
  useKeys({ F8: own?.signed_at ? undefined : open })
  if (own?.signed_at)
    return (
      <Notice tone="ok" title={w('c.signed', { at: clock(own.signed_at) })}>
        {own.content.findings}
      </Notice>
    )
  return (
    <section class="stack" data-test="opinion-editor">
      <h2>{w('c.opinion')}</h2>
      <ProblemNote problem={deed.problem} />
      <Field
        label={w('c.findings')}
        name="findings"
        lines={6}
        value={findings}
        onInput={(value) => {
          setFindings(value)
          setSaved(false)
        }}
        maxLength={8000}
      />
      <PhraseBook
        field="findings"
        text={findings}
        onTake={(phrase) => {
          setFindings((now) => joined(now, phrase))
          setSaved(false)
        }}
      />
      <Field
        label={w('c.advice')}
        name="advice"
        lines={4}
        value={advice}
        onInput={(value) => {
          setAdvice(value)
          setSaved(false)
        }}
        maxLength={8000}
      />
      <PhraseBook
        field="advice"
        text={advice}
        onTake={(phrase) => {
          setAdvice((now) => joined(now, phrase))
          setSaved(false)
        }}
      />
      {compares && (
        <Select
          label={w('o.stance')}
          value={stance}
          options={[
            { value: '' as const, label: w('stance.choose') },
            ...(['agree', 'dissent'] as const).map((value) => ({ value, label: w(`stance.${value}`) })),
          ]}
          onChange={(value) => {
            setStance(value)
            setSaved(false)
          }}
        />
      )}
      <div class="row">
        <Button busy={deed.busy} disabled={!complete || saved} onPress={() => void deed.run(save)} test="save-opinion">
          {saved ? w('c.saved') : w('c.save')}
        </Button>
        <Button look="primary" icon="pen" busy={deed.busy} disabled={!complete} onPress={open} test="sign-opinion">
          {w('c.sign')} <kbd>F8</kbd>
        </Button>
      </div>
      {signing && own && saved && (
        <SignDialog
          title={w('c.sign')}
          canonical={own.canonical}
          sha256={own.sha256}
          paper={opinionPaper}
          onClose={() => setSigning(false)}
          onSign={async (passphrase) => {
            onChanged(
              await post<Teleconsult>(`/teleconsults/${one.id}/opinion/sign`, {
                sha256: own.sha256,
                passphrase,
              }),
            )
            setSigning(false)
          }}
        />
      )}
    </section>
  )
}
