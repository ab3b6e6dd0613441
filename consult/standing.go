package consult

import "yuanzhen/internal/ids"

// Standing is what the neighbour who prescribes has to know of a visit.
type Standing struct {
	Person          ids.Person
	Practitioner    ids.Practitioner // who sees the patient, and alone may prescribe
	Institution     ids.Institution
	InConsult       bool   // begun, not ended
	Kind            string // follow_up, first_visit, …
	GuardianPresent bool
	Evidence        []string // ICD-10 of verified earlier diagnoses
}
