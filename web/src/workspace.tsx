// The hospital's workspace: one bar, and per role the screens of its work.
import './ui/workspace.css'
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { LocationProvider, Route, Router, useLocation } from 'preact-iso'
import { heardAt, streamOpen } from './api/live'
import { askSession, session, signOut } from './api/session'
import type { Me, Role } from './api/types/identity'
import { AppealDesk } from './booking/appeal_desk'
import { EvidenceDesk } from './booking/evidence_desk'
import { lang, rememberReading } from './i18n/i18n'
import { w as certificate } from './identity/certificate_words'
import { CertificatesPage } from './identity/certificates'
import { StaffSignIn } from './identity/staff_signin'
import { SharedPage } from './imaging/shared_page'
import { TeachingPage } from './imaging/teaching'
import { w as imaging } from './imaging/words'
import { CallsPage } from './ops/calls'
import { w as images } from './ops/image_words'
import { ImagesPage } from './ops/images'
import { Status } from './ops/status'
import { w } from './ops/words'
import { DecisionList, DecisionSheet } from './policy/decisions'
import { RuleList } from './policy/rules'
import { w as policy } from './policy/words'
import { Workbench } from './policy/workbench'
import { Counter } from './prescribe/counter'
import { w as pharmacy } from './prescribe/pharmacy_words'
import { Registry } from './prescribe/registry'
import { ReviewDesk } from './prescribe/review_desk'
import { NumbersPage, WaitsPage } from './schedule/desk'
import { RegistrationsPage } from './schedule/registrations'
import { RosterPage } from './schedule/roster'
import { AgreementsPage } from './teleconsult/agreements'
import { Cases } from './teleconsult/cases'
import { CountersignPage } from './teleconsult/countersign'
import { LimitsPage } from './teleconsult/limits'
import { OverduePage } from './teleconsult/overdue'
import { ReadingRoom } from './teleconsult/reading_room'
import { Replay } from './teleconsult/replay'
import { w as consults } from './teleconsult/words'
import { Mark } from './ui/icons'
import { Menu } from './ui/menu'
import { Button, Loading, ProblemNote } from './ui/parts'
import { w as ui } from './ui/words'
import { Cockpit } from './visit/cockpit'
import { TapesPage } from './visit/tapes_page'
import { w as tapes } from './visit/tapes_words'

// What is used all day stands in the bar itself, the rest in a menu by its subject.
const subjects = ['rules', 'hospital', 'running'] as const
type Subject = (typeof subjects)[number]
type Screen = { href: string; label: () => string; roles: readonly Role[]; subject?: Subject }

const screens: readonly Screen[] = [
  { href: '/staff/visits', label: () => w('nav.visits'), roles: ['doctor'] },
  { href: '/staff/cases', label: () => w('nav.cases'), roles: ['doctor'] },
  { href: '/staff/teaching', label: () => imaging('teach.title'), roles: ['doctor'] },
  { href: '/staff/review', label: () => w('nav.review'), roles: ['pharmacist'] },
  { href: '/staff/counter', label: () => pharmacy('nav.counter'), roles: ['pharmacist'] },
  { href: '/staff/evidence', label: () => w('nav.evidence'), roles: ['coordinator'] },
  { href: '/staff/reviews', label: () => policy('nav.reviews'), roles: ['coordinator'] },
  { href: '/staff/board', label: () => w('nav.board'), roles: ['coordinator'] },
  { href: '/staff/roster', label: () => w('nav.roster'), roles: ['doctor', 'coordinator'] },
  { href: '/staff/waits', label: () => w('nav.waits'), roles: ['doctor', 'coordinator'] },
  { href: '/staff/numbers', label: () => w('nav.numbers'), roles: ['coordinator'] },
  { href: '/staff/countersigns', label: () => consults('cs.nav'), roles: ['administrator'] },
  { href: '/staff/calls', label: () => w('nav.calls'), roles: ['administrator', 'regulator'] },
  {
    href: '/staff/policies',
    label: () => policy('nav.policies'),
    roles: ['administrator', 'regulator'],
    subject: 'rules',
  },
  {
    href: '/staff/decisions',
    label: () => policy('nav.decisions'),
    roles: ['administrator', 'regulator'],
    subject: 'rules',
  },
  { href: '/staff/overdue', label: () => consults('od.nav'), roles: ['administrator'], subject: 'rules' },
  { href: '/staff/roster', label: () => w('nav.roster'), roles: ['administrator'], subject: 'hospital' },
  {
    href: '/staff/registrations',
    label: () => w('nav.registrations'),
    roles: ['doctor', 'administrator'],
    subject: 'hospital',
  },
  {
    href: '/staff/certificates',
    label: () => certificate('nav'),
    roles: ['doctor', 'pharmacist', 'administrator'],
    subject: 'hospital',
  },
  {
    href: '/staff/agreements',
    label: () => consults('ag.nav'),
    roles: ['administrator', 'coordinator', 'regulator'],
    subject: 'hospital',
  },
  {
    href: '/staff/pharmacies',
    label: () => pharmacy('nav.registry'),
    roles: ['administrator', 'regulator'],
    subject: 'hospital',
  },
  { href: '/staff/recordings', label: () => tapes('nav'), roles: ['administrator'], subject: 'running' },
  { href: '/staff/images', label: () => images('nav'), roles: ['administrator'], subject: 'running' },
  { href: '/staff/status', label: () => w('nav.status'), roles: ['administrator', 'regulator'], subject: 'running' },
]

const mine = (me: Me) => {
  const all = screens.filter(({ roles }) => roles.some((role) => me.roles.some((held) => held.role === role)))
  return all.filter(({ href }, n) => all.findIndex((one) => one.href === href) === n)
}

/** How fresh the live lists are; amber when nothing was heard for 30 s, heartbeats come every 15. */
function Freshness() {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const tick = setInterval(() => setNow(Date.now()), 5000)
    return () => clearInterval(tick)
  }, [])
  const late = heardAt.value === undefined ? 0 : Math.round((now - heardAt.value) / 1000)
  if (!streamOpen.value) return <span class="live-dot stale">{w('live.off')}</span>
  return late > 30 ? (
    <span class="live-dot stale">{w('live.late', { n: late })}</span>
  ) : (
    <span class="live-dot">{w('live.on')}</span>
  )
}

function Bar({ me }: { me: Me }) {
  const { path } = useLocation()
  const place = [...new Set(me.roles.map((role) => role.place.name))].join('、')
  const all = mine(me)
  const isOpen = ({ href }: Screen) =>
    path.startsWith(href) ||
    (href === '/staff/board' && path.startsWith('/staff/cases') && !me.roles.some(({ role }) => role === 'doctor'))
  const link = (screen: Screen) => (
    <a key={screen.href} href={screen.href} aria-current={isOpen(screen) ? 'page' : undefined}>
      {screen.label()}
    </a>
  )
  return (
    <header class="deskbar">
      <a class="brand" href="/staff">
        <Mark />
        <span>{ui('app.name')}</span>
      </a>
      <nav aria-label={w('nav.main')}>
        {all.filter(({ subject }) => !subject).map(link)}
        {subjects.map((subject) => {
          const some = all.filter((screen) => screen.subject === subject)
          if (some.length < 2) return some.map(link) // a menu of one would be a press for nothing
          return (
            <Menu key={subject} label={w(`nav.${subject}`)} holds={some.some(isOpen)} at={path}>
              {some.map(link)}
            </Menu>
          )
        })}
      </nav>
      <span class="space" />
      <Freshness />
      <span class="who">
        {me.name} {me.title ?? ''} · {place}
      </span>
      <Button look="quiet" onPress={() => (lang.value = lang.value === 'zh' ? 'en' : 'zh')}>
        {ui('nav.lang')}
      </Button>
      <Button look="quiet" onPress={() => void signOut()}>
        {ui('nav.signout')}
      </Button>
    </header>
  )
}

function Home() {
  const { route } = useLocation()
  const first = session.value.state === 'in' ? mine(session.value.me)[0] : undefined
  useEffect(() => {
    if (first) route(first.href, true)
  }, [first, route])
  return first ? null : (
    <main class="column paper" id="content">
      <div class="empty">
        <h1>{w('none.title')}</h1>
        <p>{w('none.say')}</p>
      </div>
    </main>
  )
}

const DoctorCases = () => <Cases boxes={coordinates() ? ['coordinator'] : ['mine', 'expert']} />
const Board = () => <Cases boxes={['coordinator']} />
const coordinates = () => session.value.state === 'in' && !session.value.me.roles.some(({ role }) => role === 'doctor')

function Inside() {
  const current = session.value
  switch (current.state) {
    case 'asking':
      return (
        <main class="signin">
          <Loading />
        </main>
      )
    case 'unknown':
      return (
        <div class="signin">
          <main id="content">
            <ProblemNote problem={current.problem} again={() => void askSession()} />
          </main>
        </div>
      )
    case 'out':
      return <StaffSignIn />
    case 'in':
      return (
        <div class="desk">
          <Bar me={current.me} />
          <Router>
            <Route path="/staff/visits" component={Cockpit} />
            <Route path="/staff/visits/:id" component={Cockpit} />
            <Route path="/staff/cases" component={DoctorCases} />
            <Route path="/staff/cases/:id" component={DoctorCases} />
            <Route path="/staff/cases/:id/room" component={ReadingRoom} />
            <Route path="/staff/cases/:id/replay" component={Replay} />
            <Route path="/staff/teaching" component={TeachingPage} />
            <Route path="/staff/review" component={ReviewDesk} />
            <Route path="/staff/counter" component={Counter} />
            <Route path="/staff/pharmacies" component={Registry} />
            <Route path="/staff/evidence" component={EvidenceDesk} />
            <Route path="/staff/reviews" component={AppealDesk} />
            <Route path="/staff/board" component={Board} />
            <Route path="/staff/roster" component={RosterPage} />
            <Route path="/staff/registrations" component={RegistrationsPage} />
            <Route path="/staff/waits" component={WaitsPage} />
            <Route path="/staff/numbers" component={NumbersPage} />
            <Route path="/staff/calls" component={CallsPage} />
            <Route path="/staff/policies" component={Workbench} />
            <Route path="/staff/policies/:id" component={Workbench} />
            <Route path="/staff/rules" component={RuleList} />
            <Route path="/staff/decisions" component={DecisionList} />
            <Route path="/staff/decisions/:id" component={DecisionSheet} />
            <Route path="/staff/agreements" component={AgreementsPage} />
            <Route path="/staff/countersigns" component={CountersignPage} />
            <Route path="/staff/overdue" component={OverduePage} />
            <Route path="/staff/overdue/limits" component={LimitsPage} />
            <Route path="/staff/certificates" component={CertificatesPage} />
            <Route path="/staff/recordings" component={TapesPage} />
            <Route path="/staff/images" component={ImagesPage} />
            <Route path="/staff/status" component={Status} />
            <Route default component={Home} />
          </Router>
        </div>
      )
  }
}

function App() {
  useEffect(() => void askSession(), [])
  return (
    <LocationProvider scope="/staff">
      <a class="skip" href="#content">
        {ui('nav.skip')}
      </a>
      <Inside />
    </LocationProvider>
  )
}

rememberReading()
const root = document.getElementById('app')
// Who comes by a share link has no account: the page of the link knows nothing of sessions.
if (root) render(location.pathname === '/shared' ? <SharedPage /> : <App />, root)
