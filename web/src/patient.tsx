// The patient's pages. Small on purpose: this is what loads at 64 kbit/s.
import './ui/patient.css'
import { render } from 'preact'
import { useEffect } from 'preact/hooks'
import { LocationProvider, Route, Router, useLocation } from 'preact-iso'
import { get } from './api/client'
import { useResource } from './api/resource'
import { askSession, session, signOut } from './api/session'
import type { Me } from './api/types/identity'
import type { Teleconsult } from './api/types/teleconsult'
import type { Visit } from './api/types/visit'
import { Book } from './booking/book'
import { EmergencyPage } from './booking/emergency'
import { Home } from './booking/home'
import { answer, draft } from './booking/wizard'
import { w as booking } from './booking/words'
import { elder, lang, rememberReading } from './i18n/i18n'
import { PatientSignIn } from './identity/patient_signin'
import { PersonForm } from './identity/person_form'
import { w as identity } from './identity/words'
import { NetworkCheckPage } from './netcheck/page'
import { PrescriptionList, PrescriptionPage } from './prescribe/patient_rx'
import { MyWaits } from './schedule/waiting_list'
import { ConsultList, ConsultPage, consultsDue } from './teleconsult/patient_consult'
import { Icon, Mark } from './ui/icons'
import { Loading, ProblemNote, useTitle } from './ui/parts'
import { w } from './ui/words'
import { VisitList } from './visit/cards'
import { Join } from './visit/join'
import { VisitPage } from './visit/visit_page'
import { w as visits } from './visit/words'

function TopBar() {
  const { path } = useLocation()
  const home = path === '/'
  return (
    <header class="topbar">
      {home ? (
        <a class="brand" href="/">
          <Mark />
          <span>{w('app.name')}</span>
        </a>
      ) : (
        <button type="button" onClick={() => history.back()}>
          <Icon name="back" /> {w('nav.back')}
        </button>
      )}
      <span class="space" />
      <button type="button" aria-pressed={elder.value} onClick={() => (elder.value = !elder.value)} data-test="elder">
        {w('nav.elder')}
      </button>
      <button
        type="button"
        lang={lang.value === 'zh' ? 'en' : 'zh'}
        onClick={() => (lang.value = lang.value === 'zh' ? 'en' : 'zh')}
        data-test="lang"
      >
        {w('nav.lang.short')}
      </button>
      <a class="tool sos" href="/emergency">
        {w('nav.emergency')}
      </a>
    </header>
  )
}

function Tabs() {
  const { path } = useLocation()
  const tabs = [
    { href: '/', icon: 'hospital', label: booking('tab.home') },
    { href: '/visits', icon: 'clock', label: booking('tab.visits') },
    { href: '/prescriptions', icon: 'pill', label: booking('tab.rx') },
  ] as const
  if (!tabs.some((tab) => tab.href === path)) return null
  return (
    <nav class="tabs" aria-label={w('app.name')}>
      {tabs.map((tab) => (
        <a key={tab.href} href={tab.href} aria-current={tab.href === path ? 'page' : undefined}>
          <Icon name={tab.icon} />
          {tab.label}
        </a>
      ))}
    </nav>
  )
}

const useVisits = () =>
  useResource('visits', (signal) => get<Visit[]>('/visits', signal), ['visit.changed', 'queue.changed'])

const useConsults = () =>
  useResource('consults', (signal) => get<Teleconsult[]>('/teleconsults', signal), ['teleconsult.changed'])

function HomePage() {
  const { route } = useLocation()
  const mine = useVisits()
  const consults = useConsults()
  useTitle(booking('home.title'))
  if (session.value.state !== 'in') return null
  return (
    <Home
      me={session.value.me}
      visits={mine.value}
      consults={consultsDue(consults.value ?? [])}
      draft={draft.value}
      onBook={() => route('/book/who')}
      onRegister={() => route('/people/new')}
    />
  )
}

function VisitsPage() {
  const mine = useVisits()
  const consults = useConsults()
  useTitle(visits('list.title'))
  return (
    <main class="page" id="content">
      <h1>{visits('list.title')}</h1>
      <MyWaits />
      {mine.value ? (
        <VisitList visits={mine.value} />
      ) : mine.problem ? (
        <ProblemNote problem={mine.problem} again={mine.refresh} />
      ) : (
        <Loading />
      )}
      <ProblemNote problem={consults.problem} again={consults.refresh} />
      <ConsultList consults={consults.value ?? []} />
      <p class="push" />
      <button type="button" class="button quiet" onClick={() => void signOut()}>
        {w('nav.signout')}
      </button>
    </main>
  )
}

function NewPersonPage({ me }: { me: Me }) {
  const { route } = useLocation()
  useTitle(identity('who.title'))
  return (
    <main class="page" id="content">
      <header>
        <h1>{identity('who.title')}</h1>
        <p class="meta">{identity('who.lead')}</p>
      </header>
      <PersonForm
        hasSelf={me.persons.some((person) => person.relation === 'self')}
        onDone={(person) => {
          answer({ person: person.id })
          void askSession().then(() => route('/book/flags', true))
        }}
      />
    </main>
  )
}

function Emergency() {
  const { route } = useLocation()
  return <EmergencyPage onMistake={() => route('/')} />
}

function MyPrescriptions() {
  return session.value.state === 'in' ? (
    <PrescriptionList persons={session.value.me.persons.map((person) => person.id)} />
  ) : null
}

function NewPerson() {
  return session.value.state === 'in' ? <NewPersonPage me={session.value.me} /> : null
}

function Inside() {
  const { path, route } = useLocation()
  if (path === '/emergency') return <Emergency />
  if (path === '/netcheck') return <NetworkCheckPage />
  if (path === '/join') return <Join />
  switch (session.value.state) {
    case 'asking':
      return (
        <main class="page">
          <Loading />
        </main>
      )
    case 'unknown':
      return (
        <main class="page">
          <ProblemNote problem={session.value.problem} again={() => void askSession()} />
        </main>
      )
    case 'out':
      return <PatientSignIn onDone={() => path === '/signin' && route('/', true)} />
    case 'in':
      return (
        <Router>
          <Route path="/" component={HomePage} />
          <Route path="/people/new" component={NewPerson} />
          <Route path="/book" component={Book} />
          <Route path="/book/:step" component={Book} />
          <Route path="/visits" component={VisitsPage} />
          <Route path="/visits/:id" component={VisitPage} />
          <Route path="/consults/:id" component={ConsultPage} />
          <Route path="/prescriptions" component={MyPrescriptions} />
          <Route path="/prescriptions/:id" component={PrescriptionPage} />
          <Route default component={HomePage} />
        </Router>
      )
  }
}

function App() {
  useEffect(() => void askSession(), [])
  return (
    <LocationProvider>
      <a class="skip" href="#content">
        {w('nav.skip')}
      </a>
      <div class="shell">
        <TopBar />
        <Inside />
        {session.value.state === 'in' && <Tabs />}
      </div>
    </LocationProvider>
  )
}

rememberReading()
const root = document.getElementById('app')
if (root) render(<App />, root)
