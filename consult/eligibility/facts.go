package eligibility

import (
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"yuanzhen/internal/fault"
)

// Facts is all that the check is told. Its JSON form is the facts document; the zero value of
// a member never opens access, and where the document's default differs (id_type, severity,
// intends_rx) whoever fills Facts in states it.
type Facts struct {
	Now         time.Time   `json:"now"`
	Stage       Stage       `json:"stage"`
	Patient     Patient     `json:"patient"`
	Guardian    Guardian    `json:"guardian"`
	Physician   Physician   `json:"physician"`
	Institution Institution `json:"institution"`
	Visit       Visit       `json:"visit"`
	Slot        Slot        `json:"slot"`
	Evidence    []Evidence  `json:"evidence"`
	Consent     Consent     `json:"consent"`
	Session     Session     `json:"session"`
	Region      Region      `json:"region"`
}

// Stage is the point of evaluation.
type Stage = string

const (
	Booking Stage = "booking"
	Start   Stage = "start"
	InVisit Stage = "in_visit"
	Sign    Stage = "sign" // signing a prescription
)

// Kinds of visit that a patient can ask for.
const (
	FollowUp      = "follow_up"
	FirstVisit    = "first_visit"
	HealthConsult = "health_consult"
	Accompanied   = "accompanied" // at another institution, beside its attending doctor
)

// Judgements of the receiving doctor.
const (
	ConfirmedFollowUp = "confirmed_followup"
	JudgedFirst       = "judged_first"
	Unsuitable        = "unsuitable"
)

type Patient struct {
	BirthDate     Day      `json:"birth_date"`
	IDType        string   `json:"id_type"` // WS 364 CV02.01.101, 01 = resident ID card
	IDChecksumOK  bool     `json:"id_checksum_ok"`
	RealnameLevel float64  `json:"realname_level"` // 0 none, 1 phone, 2 ID and name, 3 ID and live face
	Region        string   `json:"region"`         // GB/T 2260, 6 digits
	SpecialGroups []string `json:"special_groups"`
	Schemes       []string `json:"schemes"`
}

type Guardian struct {
	Verified bool `json:"verified"` // identity and relation
	Present  bool `json:"present"`  // takes part in this session
}

type Physician struct {
	NationalRegisterFound bool             `json:"national_register_found"`
	Level                 string           `json:"level"`
	Suspended             bool             `json:"suspended"`
	Assessment            string           `json:"assessment"`
	IndependentYears      float64          `json:"independent_years"`
	OnlineFollowUpYears   float64          `json:"online_followup_years"`
	TitleRank             float64          `json:"title_rank"` // 1 住院, 2 主治, 3 副主任, 4 主任
	ScopeOK               bool             `json:"scope_ok"`
	InstitutionConsent    bool             `json:"institution_consent"`
	RegistrationHere      string           `json:"registration_here"` // valid to the end of the slot
	RegisteredProvinces   []string         `json:"registered_provinces"`
	PaediatricQualified   bool             `json:"paediatric_qualified"`
	Whitelists            []string         `json:"whitelists"` // <policy id>@<version>
	Session               PhysicianSession `json:"session"`
}

type PhysicianSession struct {
	RealnameVerified bool `json:"realname_verified"`
}

type Institution struct {
	ID                        string      `json:"id"`
	Province                  string      `json:"province"` // GB/T 2260, first 2 digits
	Region                    string      `json:"region"`   // GB/T 2260, 6 digits: whose local rules apply; "" = known by the province only
	LicenceValid              bool        `json:"licence_valid"`
	InternetServiceRegistered bool        `json:"internet_service_registered"`
	LicensedDepartments       []string    `json:"licensed_departments"`
	MLPS3Valid                bool        `json:"mlps3_valid"` // GB/T 22239 level 3
	PlatformConnected         bool        `json:"platform_connected"`
	UploadBacklogHours        float64     `json:"upload_backlog_hours"`
	OnlineCatalogue           []Catalogue `json:"online_catalogue"`
}

// Catalogue is one disease category that the institution follows up online.
type Catalogue struct {
	Category   string `json:"icd10_cat"`
	Class      string `json:"class"`       // chronic or common, for information
	WindowDays int    `json:"window_days"` // greatest age of a record that supports a follow-up
}

type Visit struct {
	DeclaredKind                 string    `json:"declared_kind"`
	Department                   string    `json:"department"`
	Complaint                    Complaint `json:"complaint"`
	RedFlags                     []string  `json:"red_flags"`
	Severity                     string    `json:"severity"`
	IntendsRx                    bool      `json:"intends_rx"`
	PhysicianJudgement           *string   `json:"physician_judgement"`
	ConditionChanged             bool      `json:"condition_changed"`
	AttendingPhysicianPresent    bool      `json:"attending_physician_present"`
	PatientAtPhysicalInstitution bool      `json:"patient_at_physical_institution"`
	PaediatricDoctorAtSide       bool      `json:"paediatric_doctor_at_side"`
}

type Complaint struct {
	ICD10 string `json:"icd10"`
}

// Slot.Overlap: the slot, with its buffer, overlaps another of the doctor's anywhere.
type Slot struct {
	Overlap bool `json:"overlap"`
}

// Evidence is a record of an earlier diagnosis. Where it was found is kept with the facts and weighs nothing.
type Evidence struct {
	ICD10  string `json:"icd10"`
	DxDate Day    `json:"dx_date"`
	Source string `json:"source"`
	Verify string `json:"verify"`
	Origin string `json:"origin,omitempty"` // upload, hospital_record or visit_record
	Record string `json:"record,omitempty"` // its id there
}

type Consent struct {
	InternetCare Signed `json:"internet_care"`
	SensitivePI  Signed `json:"sensitive_pi"`
}

type Signed struct {
	Valid bool `json:"valid"`
}

type Session struct {
	PatientImpersonation bool `json:"patient_impersonation"`
}

type Region struct {
	ActiveScenarios []string `json:"active_scenarios"`
}

// severities from mild to severe.
var severities = []string{"mild", "moderate", "severe"}

// decode reads a facts document. The error names the first member that can't be used.
func decode(root *node) (*Facts, error) {
	if root.kind != object {
		return nil, unusable("", "is not a JSON object")
	}
	var first error
	doc := reader{root, "", none, &first}
	patient, physician, institution := doc.object("patient"), doc.object("physician"), doc.object("institution")
	guardian, visit, consent := doc.object("guardian"), doc.object("visit"), doc.object("consent")
	f := &Facts{
		Now:   doc.time("now"),
		Stage: doc.word("stage", required, Booking, Start, InVisit, Sign),
		Patient: Patient{
			BirthDate:     patient.date("birth_date"),
			IDType:        patient.string("id_type", "01"),
			IDChecksumOK:  patient.bool("id_checksum_ok", false),
			RealnameLevel: patient.number("realname_level", 3),
			Region:        patient.string("region", ""),
			SpecialGroups: patient.strings("special_groups"),
			Schemes:       patient.strings("schemes"),
		},
		Guardian: Guardian{
			Verified: guardian.bool("verified", false),
			Present:  guardian.bool("present", false),
		},
		Physician: Physician{
			NationalRegisterFound: physician.bool("national_register_found", false),
			Level:                 physician.word("level", "", "执业医师", "执业助理医师"),
			Suspended:             physician.bool("suspended", false),
			Assessment:            physician.word("assessment", "none", "passed", "failed"),
			IndependentYears:      physician.number("independent_years", math.Inf(1)),
			OnlineFollowUpYears:   physician.number("online_followup_years", math.Inf(1)),
			TitleRank:             physician.number("title_rank", 4),
			ScopeOK:               physician.bool("scope_ok", false),
			InstitutionConsent:    physician.bool("institution_consent", false),
			RegistrationHere:      physician.word("registration_here", "none", "primary", "filed", "registered"),
			RegisteredProvinces:   physician.strings("registered_provinces"),
			PaediatricQualified:   physician.bool("paediatric_qualified", false),
			Whitelists:            physician.strings("whitelists"),
			Session:               PhysicianSession{RealnameVerified: physician.object("session").bool("realname_verified", false)},
		},
		Institution: Institution{
			ID:                        institution.string("id", ""),
			Province:                  institution.string("province", ""),
			Region:                    institution.string("region", ""),
			LicenceValid:              institution.bool("licence_valid", false),
			InternetServiceRegistered: institution.bool("internet_service_registered", false),
			LicensedDepartments:       institution.strings("licensed_departments"),
			MLPS3Valid:                institution.bool("mlps3_valid", false),
			PlatformConnected:         institution.bool("platform_connected", false),
			UploadBacklogHours:        institution.number("upload_backlog_hours", math.Inf(1)),
			OnlineCatalogue:           list(institution, "online_catalogue", reader.catalogue),
		},
		Visit: Visit{
			DeclaredKind:                 visit.word("declared_kind", required, FollowUp, FirstVisit, HealthConsult, Accompanied),
			Department:                   visit.string("department", ""),
			Complaint:                    Complaint{ICD10: visit.object("complaint").string("icd10", "")},
			RedFlags:                     visit.strings("red_flags"),
			Severity:                     visit.word("severity", "severe", severities...),
			IntendsRx:                    visit.bool("intends_rx", true),
			PhysicianJudgement:           visit.judgement("physician_judgement"),
			ConditionChanged:             visit.bool("condition_changed", false),
			AttendingPhysicianPresent:    visit.bool("attending_physician_present", false),
			PatientAtPhysicalInstitution: visit.bool("patient_at_physical_institution", false),
			PaediatricDoctorAtSide:       visit.bool("paediatric_doctor_at_side", false),
		},
		Slot:     Slot{Overlap: doc.object("slot").bool("overlap", false)},
		Evidence: list(doc, "evidence", reader.evidence),
		Consent: Consent{
			InternetCare: Signed{consent.object("internet_care").bool("valid", false)},
			SensitivePI:  Signed{consent.object("sensitive_pi").bool("valid", false)},
		},
		Session: Session{doc.object("session").bool("patient_impersonation", false)},
		Region:  Region{doc.object("region").strings("active_scenarios")},
	}
	if first == nil && f.Patient.BirthDate > localDay(f.Now) {
		patient.fail("birth_date", "is after today")
	}
	for i, c := range f.Institution.OnlineCatalogue {
		if slices.ContainsFunc(f.Institution.OnlineCatalogue[:i], func(d Catalogue) bool { return d.Category == c.Category }) {
			institution.fail("online_catalogue", "has "+c.Category+" twice")
		}
	}
	return f, first
}

func (r reader) catalogue() Catalogue {
	c := Catalogue{
		Category:   r.string("icd10_cat", required),
		Class:      r.word("class", required, "chronic", "common"),
		WindowDays: r.integer("window_days"),
	}
	if utf8.RuneCountInString(c.Category) != 3 {
		r.fail("icd10_cat", "is not three characters")
	}
	return c
}

func (r reader) evidence() Evidence {
	return Evidence{
		ICD10:  r.string("icd10", required),
		DxDate: r.date("dx_date"),
		Source: r.word("source", required, "physical", "online"),
		Verify: r.word("verify", required, "pending", "verified", "rejected", "self_declared"),
	}
}

func (r reader) judgement(name string) *string {
	if r.at.get(name).kind == null {
		return nil
	}
	j := r.word(name, required, ConfirmedFollowUp, JudgedFirst, Unsuitable)
	return &j
}

// redFlags looks for danger signs in a document that may be unusable otherwise.
func redFlags(root *node) (flags []string) {
	for visit := root.first; visit != nil; visit = visit.next {
		for signs := visit.first; signs != nil; signs = signs.next {
			if visit.name != "visit" || signs.name != "red_flags" {
				continue
			}
			for sign := signs.first; sign != nil; sign = sign.next {
				if sign.kind == text {
					flags = append(flags, sign.text)
				}
			}
		}
	}
	return flags
}

// required stands in place of a default. No word of a facts document begins with a NUL.
const required = "\x00"

// reader reads the members of one object. The first failure is kept, later ones are not looked at.
type reader struct {
	at    *node
	path  string // institution.online_catalogue, "" for the document
	index int    // of an item of an array, none for other objects
	err   *error
}

const none = -1

func (r reader) member(name string) string {
	switch {
	case r.path == "":
		return name
	case r.index != none:
		return fmt.Sprintf("%s[%d].%s", r.path, r.index, name)
	}
	return r.path + "." + name
}

func (r reader) fail(name, what string) {
	if *r.err == nil {
		*r.err = unusable(r.member(name), what)
	}
}

func unusable(path, what string) error {
	if path == "" {
		path = "the document"
	}
	return fault.New(fault.Invalid, "facts_unusable",
		"资格判定所需的信息不能使用："+path, "facts unusable: "+path+" "+what).
		WithRemedy("请改正这一项再判定。", "Correct this member and ask again.")
}

// want finds a member of the given kind. ok is false if it is absent or of another kind.
func (r reader) want(name string, k kind) (n *node, ok bool) {
	n = r.at.get(name)
	if n.kind != k && n.kind != null {
		r.fail(name, "is "+n.kind.String()+", not "+k.String())
	}
	return n, n.kind == k
}

func (r reader) object(name string) reader {
	n, ok := r.want(name, object)
	if !ok {
		n = &absent
	}
	return reader{n, r.member(name), none, r.err}
}

func list[T any](r reader, name string, item func(reader) T) []T {
	n, ok := r.want(name, array)
	if !ok {
		return nil
	}
	all, path := make([]T, 0, n.len()), r.member(name)
	for m := n.first; m != nil; m = m.next {
		if m.kind != object {
			r.fail(fmt.Sprintf("%s[%d]", name, len(all)), "is "+m.kind.String()+", not an object")
			return nil
		}
		all = append(all, item(reader{m, path, len(all), r.err}))
	}
	return all
}

func (r reader) string(name, fallback string) string {
	n, ok := r.want(name, text)
	switch {
	case ok:
		return n.text
	case fallback == required:
		r.fail(name, "is missing")
		return ""
	}
	return fallback
}

// word reads a string that is its default or one of the listed words.
func (r reader) word(name, fallback string, words ...string) string {
	s := r.string(name, fallback)
	if s != fallback && !slices.Contains(words, s) {
		r.fail(name, fmt.Sprintf("is %q, not one of %q", s, words))
	}
	return s
}

func (r reader) strings(name string) []string {
	n, ok := r.want(name, array)
	if !ok {
		return nil
	}
	all := make([]string, 0, n.len())
	for m := n.first; m != nil; m = m.next {
		if m.kind != text {
			r.fail(fmt.Sprintf("%s[%d]", name, len(all)), "is "+m.kind.String()+", not a string")
		}
		all = append(all, m.text)
	}
	return all
}

func (r reader) bool(name string, fallback bool) bool {
	n, ok := r.want(name, boolean)
	if !ok {
		return fallback
	}
	return n.number == yes
}

// number reads a number from 0 to most; its default is 0.
func (r reader) number(name string, most float64) float64 {
	n, ok := r.want(name, number)
	if ok && (n.number < 0 || n.number > most) {
		r.fail(name, fmt.Sprintf("is %v, out of its range", n.number))
	}
	if !ok {
		return 0
	}
	return n.number
}

// integer reads a required whole number that a century of days can't exceed by far.
func (r reader) integer(name string) int {
	n, ok := r.want(name, number)
	if !ok {
		r.fail(name, "is missing")
		return 0
	}
	if n.number != math.Trunc(n.number) || math.Abs(n.number) > 1<<31 {
		r.fail(name, fmt.Sprintf("is %v, not an integer", n.number))
	}
	return int(n.number)
}

func (r reader) date(name string) Day {
	s := r.string(name, required)
	d, err := ParseDay(s)
	if err != nil {
		r.fail(name, fmt.Sprintf("is %q, not a date", s))
	}
	return d
}

func (r reader) time(name string) time.Time {
	s := r.string(name, required)
	t, err := parseTime(s)
	if err != nil {
		r.fail(name, fmt.Sprintf("is %q, not an RFC 3339 time", s))
	}
	return t
}

// parseTime is strict where time.Parse is not: two-digit hours, no comma, offset in range.
func parseTime(s string) (t time.Time, err error) {
	err = t.UnmarshalText([]byte(s))
	return t, err
}
