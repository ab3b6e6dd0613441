package eligibility

import (
	"cmp"
	"math"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// evaluation is what the conditions of one decision read: the facts and what is derived from them.
type evaluation struct {
	*Facts
	today     Day
	age       int
	category  string // of the complaint
	records   records
	listed    *Catalogue // the category's entry in the online catalogue, nil if none
	exception exception
}

func newEvaluation(f *Facts) *evaluation {
	e := &evaluation{Facts: f, today: localDay(f.Now), category: category(f.Visit.Complaint.ICD10)}
	e.age = Age(f.Patient.BirthDate, e.today)
	e.records = count(f.Evidence, e.category, e.today)
	for i, c := range f.Institution.OnlineCatalogue {
		if c.Category == e.category {
			e.listed = &f.Institution.OnlineCatalogue[i]
		}
	}
	return e
}

// place is where the visit takes place, as far as it is known: a GB/T 2260 code or its province.
func (e *evaluation) place() string { return cmp.Or(e.Institution.Region, e.Institution.Province) }

// ResolveName and Parent make an evaluation a cel.Activation.
func (e *evaluation) ResolveName(name string) (any, bool) {
	v, ok := schema[name]
	if !ok {
		return nil, false
	}
	return v.of(e), true
}

func (e *evaluation) Parent() cel.Activation { return nil }

type variable struct {
	typ *cel.Type
	of  func(*evaluation) any
}

func is(of func(*evaluation) bool) variable {
	return variable{cel.BoolType, func(e *evaluation) any { return of(e) }}
}

func num(of func(*evaluation) float64) variable {
	return variable{cel.DoubleType, func(e *evaluation) any { return of(e) }}
}

func whole(of func(*evaluation) int) variable {
	return variable{cel.IntType, func(e *evaluation) any { return int64(of(e)) }}
}

func word(of func(*evaluation) string) variable {
	return variable{cel.StringType, func(e *evaluation) any { return of(e) }}
}

func words(of func(*evaluation) []string) variable {
	return variable{cel.ListType(cel.StringType), func(e *evaluation) any { return wordList{noWords, of(e)} }}
}

// wordList is a list of strings that answers "in" and size without boxing its words.
type wordList struct {
	traits.Lister // noWords: nothing else is asked of it, because there are no macros
	plain         []string
}

var noWords = types.NewStringList(types.DefaultTypeAdapter, nil)

func (l wordList) Contains(value ref.Val) ref.Val {
	word, ok := value.(types.String)
	return types.Bool(ok && slices.Contains(l.plain, string(word)))
}

func (l wordList) Size() ref.Val { return types.Int(len(l.plain)) }

// schema is every fact that a rule may read. The upper part is the facts document, path by
// path; the lower part is derived.
var schema = map[string]variable{
	"stage":                                 word(func(e *evaluation) string { return e.Stage }),
	"patient.id_type":                       word(func(e *evaluation) string { return e.Patient.IDType }),
	"patient.id_checksum_ok":                is(func(e *evaluation) bool { return e.Patient.IDChecksumOK }),
	"patient.realname_level":                num(func(e *evaluation) float64 { return e.Patient.RealnameLevel }),
	"patient.region":                        word(func(e *evaluation) string { return e.Patient.Region }),
	"patient.special_groups":                words(func(e *evaluation) []string { return e.Patient.SpecialGroups }),
	"patient.schemes":                       words(func(e *evaluation) []string { return e.Patient.Schemes }),
	"guardian.verified":                     is(func(e *evaluation) bool { return e.Guardian.Verified }),
	"guardian.present":                      is(func(e *evaluation) bool { return e.Guardian.Present }),
	"physician.national_register_found":     is(func(e *evaluation) bool { return e.Physician.NationalRegisterFound }),
	"physician.level":                       word(func(e *evaluation) string { return e.Physician.Level }),
	"physician.suspended":                   is(func(e *evaluation) bool { return e.Physician.Suspended }),
	"physician.assessment":                  word(func(e *evaluation) string { return e.Physician.Assessment }),
	"physician.independent_years":           num(func(e *evaluation) float64 { return e.Physician.IndependentYears }),
	"physician.online_followup_years":       num(func(e *evaluation) float64 { return e.Physician.OnlineFollowUpYears }),
	"physician.title_rank":                  num(func(e *evaluation) float64 { return e.Physician.TitleRank }),
	"physician.scope_ok":                    is(func(e *evaluation) bool { return e.Physician.ScopeOK }),
	"physician.institution_consent":         is(func(e *evaluation) bool { return e.Physician.InstitutionConsent }),
	"physician.registration_here":           word(func(e *evaluation) string { return e.Physician.RegistrationHere }),
	"physician.registered_provinces":        words(func(e *evaluation) []string { return e.Physician.RegisteredProvinces }),
	"physician.paediatric_qualified":        is(func(e *evaluation) bool { return e.Physician.PaediatricQualified }),
	"physician.whitelists":                  words(func(e *evaluation) []string { return e.Physician.Whitelists }),
	"physician.session.realname_verified":   is(func(e *evaluation) bool { return e.Physician.Session.RealnameVerified }),
	"institution.id":                        word(func(e *evaluation) string { return e.Institution.ID }),
	"institution.region":                    word(func(e *evaluation) string { return e.Institution.Region }),
	"institution.province":                  word(func(e *evaluation) string { return e.Institution.Province }),
	"institution.licence_valid":             is(func(e *evaluation) bool { return e.Institution.LicenceValid }),
	"institution.licensed_departments":      words(func(e *evaluation) []string { return e.Institution.LicensedDepartments }),
	"institution.mlps3_valid":               is(func(e *evaluation) bool { return e.Institution.MLPS3Valid }),
	"institution.platform_connected":        is(func(e *evaluation) bool { return e.Institution.PlatformConnected }),
	"institution.upload_backlog_hours":      num(func(e *evaluation) float64 { return e.Institution.UploadBacklogHours }),
	"visit.declared_kind":                   word(func(e *evaluation) string { return e.Visit.DeclaredKind }),
	"visit.department":                      word(func(e *evaluation) string { return e.Visit.Department }),
	"visit.red_flags":                       words(func(e *evaluation) []string { return e.Visit.RedFlags }),
	"visit.severity":                        word(func(e *evaluation) string { return e.Visit.Severity }),
	"visit.intends_rx":                      is(func(e *evaluation) bool { return e.Visit.IntendsRx }),
	"visit.condition_changed":               is(func(e *evaluation) bool { return e.Visit.ConditionChanged }),
	"visit.attending_physician_present":     is(func(e *evaluation) bool { return e.Visit.AttendingPhysicianPresent }),
	"visit.patient_at_physical_institution": is(func(e *evaluation) bool { return e.Visit.PatientAtPhysicalInstitution }),
	"visit.paediatric_doctor_at_side":       is(func(e *evaluation) bool { return e.Visit.PaediatricDoctorAtSide }),
	"slot.overlap":                          is(func(e *evaluation) bool { return e.Slot.Overlap }),
	"consent.internet_care.valid":           is(func(e *evaluation) bool { return e.Consent.InternetCare.Valid }),
	"consent.sensitive_pi.valid":            is(func(e *evaluation) bool { return e.Consent.SensitivePI.Valid }),
	"session.patient_impersonation":         is(func(e *evaluation) bool { return e.Session.PatientImpersonation }),
	"region.active_scenarios":               words(func(e *evaluation) []string { return e.Region.ActiveScenarios }),

	"institution.internet_service_registered": is(func(e *evaluation) bool { return e.Institution.InternetServiceRegistered }),

	// "" while there is no judgement
	"visit.physician_judgement": word(func(e *evaluation) string {
		if e.Visit.PhysicianJudgement == nil {
			return ""
		}
		return *e.Visit.PhysicianJudgement
	}),

	"patient.age":             whole(func(e *evaluation) int { return e.age }), // whole years
	"complaint.category":      word(func(e *evaluation) string { return e.category }),
	"records.verified":        whole(func(e *evaluation) int { return e.records.verified }),
	"records.pending":         whole(func(e *evaluation) int { return e.records.pending }),
	"records.of_category":     whole(func(e *evaluation) int { return e.records.ofCategory }), // verified ones
	"records.newest_age_days": whole(func(e *evaluation) int { return e.records.newestAge }),  // of these
	"catalogue.listed":        is(func(e *evaluation) bool { return e.listed != nil }),
	"catalogue.window_days": whole(func(e *evaluation) int {
		if e.listed == nil {
			return math.MinInt
		}
		return e.listed.WindowDays
	}),

	// the first-visit policy that decides alone, in phase 7
	"policy.candidates":       whole(func(e *evaluation) int { return e.exception.candidates }),
	"policy.in_force":         whole(func(e *evaluation) int { return e.exception.inForce }),
	"policy.met":              is(func(e *evaluation) bool { return e.exception.met }),
	"policy.ref":              word(func(e *evaluation) string { return e.policy().Ref() }),
	"policy.whitelist":        is(func(e *evaluation) bool { return e.policy().Physician.Whitelist }),
	"policy.min_title":        num(func(e *evaluation) float64 { return e.policy().Physician.MinTitle }),
	"policy.min_years":        num(func(e *evaluation) float64 { return e.policy().Physician.MinYears }),
	"policy.min_online_years": num(func(e *evaluation) float64 { return e.policy().Physician.MinOnlineYears }),
	"policy.guardian_under":   whole(func(e *evaluation) int { return e.policy().GuardianUnder }),
	"policy.rx_scope":         word(func(e *evaluation) string { return e.policy().RxScope }),
	"policy.severities":       words(func(e *evaluation) []string { return e.policy().severities() }),
}

// policy is the one that decides, a policy that admits nobody if there is none.
func (e *evaluation) policy() *Policy {
	if e.exception.policy == nil {
		return &Policy{Physician: DoctorTerms{Whitelist: true}, RxScope: "none"}
	}
	return e.exception.policy
}

// severities that the policy admits.
func (p *Policy) severities() []string {
	if p.MaxSeverity == "any" {
		return severities
	}
	return severities[:slices.Index(severities, p.MaxSeverity)+1]
}
