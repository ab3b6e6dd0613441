package consult

import (
	"context"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// Queue is a doctor's day.
type Queue struct {
	Visits                []QueuedVisit `json:"visits"` // running, waiting, to come; in order of the slots
	Done                  int           `json:"done"`   // today
	UnsignedRecords       int           `json:"unsigned_records"`
	ReturnedPrescriptions int           `json:"returned_prescriptions"`
}

// QueuedVisit is a visit with the seconds since its patient checked in.
type QueuedVisit struct {
	Visit
	WaitingS int `json:"waiting_s"`
}

// Queue reads the day of the doctor who asks.
func (s *Service) Queue(ctx context.Context) (q Queue, err error) {
	doctor := authz.SubjectFrom(ctx).Practitioner
	err = s.inTx(ctx, func(tx tx) error {
		q = Queue{Visits: []QueuedVisit{}}
		visits, err := s.visits(ctx, tx, filter{Today: true})
		if err != nil {
			return err
		}
		for _, v := range visits {
			waiting := 0
			if v.row.CheckedInAt != nil && v.State == CheckedIn {
				waiting = int(s.Now().Sub(*v.row.CheckedInAt) / time.Second)
			}
			q.Visits = append(q.Visits, QueuedVisit{v, waiting})
		}
		if q.Done, q.UnsignedRecords, err = countDay(ctx, tx, doctor, s.Now()); err != nil {
			return err
		}
		if s.Scripts != nil {
			if q.ReturnedPrescriptions, err = s.Scripts.Returned(ctx, tx, doctor); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "queue.read", Object: "practitioner/" + doctor.String()})
	})
	return q, err
}

// line reckons the place in line. The place belongs to the person: it follows the slot, not the
// arrival, and a reload does not lose it. Minutes come from the doctor's last visits; nobody is
// told a time before the slot begins.
func (s *Service) line(ctx context.Context, tx tx, v Visit) (*Line, error) {
	ahead, short, long, err := paceAhead(ctx, tx, v)
	if err != nil {
		return nil, err
	}
	untilStart := int(max(0, v.Start.Sub(s.Now())) / time.Minute)
	return &Line{Ahead: ahead, MinutesLow: max(untilStart, ahead*short), MinutesHigh: max(untilStart, ahead*long) + long/2}, nil
}

// Chart is what a doctor reads beside the video.
type Chart struct {
	Person        ChartPatient      `json:"person"`
	Allergies     []Allergy         `json:"allergies"`
	Conditions    []Condition       `json:"conditions"`
	Medicines     []Medicine        `json:"medicines"`
	Observations  []Observation     `json:"observations"`
	Visits        []ChartVisit      `json:"visits"`
	Prescriptions []PrescriptionRef `json:"prescriptions"`
	Evidence      []Evidence        `json:"evidence"`
	Decisions     []Decision        `json:"decisions"`
}

type ChartPatient struct {
	Patient
	BirthDate string   `json:"birth_date"`
	IDMasked  string   `json:"id_masked"`
	WeightKg  *float64 `json:"weight_kg,omitempty"`
	Pregnancy *string  `json:"pregnancy,omitempty" enum:"no,t1,t2,t3,unknown"`
	Lactating *bool    `json:"lactating,omitempty"`
}

type Allergy struct {
	Substance string     `json:"substance"` // ingredient or allergy group of the formulary
	Name      fault.Text `json:"name"`
	Severity  string     `json:"severity"`
	Reaction  string     `json:"reaction"`
}

type Condition struct {
	ICD10 string `json:"icd10" db:"icd10"`
	Name  string `json:"name"`
}

type Medicine struct {
	Ingredient    string     `json:"ingredient"`
	Name          fault.Text `json:"name"`
	DailyDose     string     `json:"daily_dose" doc:"Decimal, in unit a day"`
	Unit          string     `json:"unit"`
	RemainingDays int        `json:"remaining_days"`
	Source        string     `json:"source"`
}

type Observation struct {
	Kind  string     `json:"kind"`
	Name  fault.Text `json:"name"`
	Value float64    `json:"value"`
	Unit  string     `json:"unit"`
	At    time.Time  `json:"at"`
	Low   *float64   `json:"low,omitempty"`
	High  *float64   `json:"high,omitempty"`
}

// ChartVisit is an earlier visit with its signed record.
type ChartVisit struct {
	ID         ids.Visit `json:"id"`
	State      string    `json:"state"`
	Start      time.Time `json:"start"`
	Department string    `json:"department"`
	DoctorName string    `json:"doctor_name"`
	Diagnoses  []string  `json:"diagnoses"` // ICD-10 of the signed record
}

// observationNames are the kinds that the house measures or takes over from a hospital.
var observationNames = map[string]fault.Text{
	"systolic":   {ZH: "收缩压", EN: "Systolic blood pressure"},
	"diastolic":  {ZH: "舒张压", EN: "Diastolic blood pressure"},
	"creatinine": {ZH: "肌酐", EN: "Creatinine"},
	"egfr":       {ZH: "估算肾小球滤过率", EN: "Estimated GFR"},
	"hba1c":      {ZH: "糖化血红蛋白", EN: "HbA1c"},
	"glucose":    {ZH: "血糖", EN: "Glucose"},
	"potassium":  {ZH: "血钾", EN: "Potassium"},
	"weight":     {ZH: "体重", EN: "Weight"},
	"height":     {ZH: "身高", EN: "Height"},
	"pulse":      {ZH: "脉搏", EN: "Pulse"},
	"spo2":       {ZH: "血氧饱和度", EN: "Oxygen saturation"},
	"inr":        {ZH: "国际标准化比值", EN: "INR"},
	"alt":        {ZH: "谷丙转氨酶", EN: "ALT"},
}

// Chart reads the chart of a visit's patient for the doctor of that visit.
func (s *Service) Chart(ctx context.Context, id ids.Visit) (c Chart, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		v, err := s.visit(ctx, tx, id)
		if err != nil {
			return err
		}
		if c, err = selectChart(ctx, tx, v.Person, s.Now()); err != nil {
			return err
		}
		if c.Evidence, err = selectEvidence(ctx, tx, authz.ScopeFrom(ctx), evidenceFilter{Person: v.Person.ID}); err != nil {
			return err
		}
		if s.Scripts != nil {
			if c.Prescriptions, err = s.Scripts.Of(ctx, tx, v.Person.ID, ids.Visit{}); err != nil {
				return err
			}
		}
		c.Decisions, err = selectDecisions(ctx, tx, id)
		return err
	})
	return c, err
}
