// The patient's first page: the next thing due, and the way to a new visit.
import type { Me } from '../api/types/identity'
import type { Teleconsult } from '../api/types/teleconsult'
import type { Visit } from '../api/types/visit'
import { moment } from '../i18n/format'
import { ConsultCard } from '../teleconsult/patient_consult'
import { Answer } from '../ui/parts'
import { VisitCard } from '../visit/cards'
import { due } from '../visit/states'
import type { Draft } from './wizard'
import { w } from './words'

export function Home({
  me,
  visits,
  consults,
  draft,
  onBook,
  onRegister,
}: {
  me: Me
  visits: Visit[] | undefined
  consults: Teleconsult[]
  draft: Draft
  onBook: () => void
  onRegister: () => void
}) {
  const self = me.persons.find((person) => person.relation === 'self') ?? me.persons[0]
  const next = due(visits ?? [])
  return (
    <main class="page" id="content">
      <h1>{self ? w('home.hello', { name: self.name }) : w('home.title')}</h1>
      {me.persons.length === 0 ? (
        <div class="answers">
          <Answer
            icon="person"
            label={w('home.first.go')}
            note={w('home.first')}
            onPress={onRegister}
            test="register"
          />
        </div>
      ) : (
        <>
          {next.length + consults.length > 0 && (
            <section class="stack">
              <h2>{w('home.next')}</h2>
              {consults.map((consult) => (
                <ConsultCard key={consult.id} consult={consult} />
              ))}
              {next.map((visit) => (
                <VisitCard key={visit.id} visit={visit} first />
              ))}
            </section>
          )}
          <div class="answers">
            {draft.person && (
              <Answer icon="clock" label={w('home.goon')} note={w('home.goon.note')} onPress={onBook} test="go-on" />
            )}
            {!draft.person && (
              <Answer
                icon="pill"
                label={w('home.renew')}
                note={w('home.renew.note')}
                onPress={onBook}
                test="start-booking"
              />
            )}
          </div>
          {visits?.length === 0 && consults.length === 0 && <p class="meta">{w('home.nothing')}</p>}
        </>
      )}
      <p class="push" />
      <p class="meta">{moment(new Date())}</p>
    </main>
  )
}
