package consult

import (
	"context"
	"fmt"
	"slices"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
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

// turn is when the visit's turn comes: the slot, or the moment it was passed over.
func (v Visit) turn() time.Time {
	if v.row.SkippedAt != nil {
		return *v.row.SkippedAt
	}
	return v.Start
}

// Call calls the number of a waiting patient on the display and on their screen; again if nobody came.
func (s *Service) Call(ctx context.Context, id ids.Visit, key string) (Visit, error) {
	return s.inLine(ctx, id, key, func(tx tx, v Visit) error { return putCalled(ctx, tx, v.ID, s.Now()) })
}

// Skip passes over somebody who does not come: behind all who wait now, with the number kept. Call calls them back.
func (s *Service) Skip(ctx context.Context, id ids.Visit, key string) (Visit, error) {
	return s.inLine(ctx, id, key, func(tx tx, v Visit) error { return putSkipped(ctx, tx, v, s.Now()) })
}

func (s *Service) inLine(ctx context.Context, id ids.Visit, key string, change func(tx tx, v Visit) error) (Visit, error) {
	_, fresh, err := once(ctx, s, key, id, func(tx tx) (nothing, error) {
		v, err := s.find(ctx, tx, id)
		if err != nil {
			return nothing{}, err
		}
		if v.State != CheckedIn {
			return nothing{}, movedOn(v)
		}
		if err := change(tx, v); err != nil {
			return nothing{}, err
		}
		return nothing{}, audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "visit/" + id.String(), Person: v.Person.ID, Place: v.Institution.ID})
	})
	if err != nil {
		return Visit{}, err
	}
	v, err := s.Visit(ctx, id)
	if err == nil && fresh {
		s.tell("visit.changed", v)
		s.tellQueue(ctx, v)
	}
	return v, err
}

// Delay is a doctor's word that they are late today.
type Delay struct {
	InstitutionID ids.Institution `json:"institution_id"`
	Minutes       int             `json:"minutes" minimum:"0" maximum:"480" doc:"0: on time again"`
}

// SayLate tells all who have booked the doctor's rest of the day at the place.
func (s *Service) SayLate(ctx context.Context, doctor ids.Practitioner, d Delay, key string) error {
	var told []ids.Account
	_, fresh, err := once(ctx, s, key, []any{doctor, d}, func(tx tx) (nothing, error) {
		if _, err := s.mayPlan(ctx, tx, doctor, d.InstitutionID); err != nil {
			return nothing{}, err
		}
		if err := putDelay(ctx, tx, doctor, d, s.Now()); err != nil {
			return nothing{}, err
		}
		var err error
		if told, err = accountsToday(ctx, tx, doctor, d.InstitutionID, s.Now()); err != nil {
			return nothing{}, err
		}
		for _, account := range told {
			if d.Minutes == 0 {
				continue
			}
			if err := s.notify(ctx, tx, account, fmt.Sprintf("【远诊】医师大约晚 %d 分钟，您的号保留，页面会显示排队情况。", d.Minutes)); err != nil {
				return nothing{}, err
			}
		}
		return nothing{}, audit.Write(ctx, tx, audit.Entry{Action: "roster.late", Object: "practitioner/" + doctor.String(), Place: d.InstitutionID})
	})
	if err == nil && fresh {
		s.Live.Publish(live.Event{Kind: "queue.changed", ID: doctor.String(), Accounts: told, Practitioners: []ids.Practitioner{doctor}, Places: []ids.Institution{d.InstitutionID}})
	}
	return err
}

// Numbers is what hangs in the corridor: numbers, no names.
type Numbers struct {
	Doctor     string `json:"doctor"`
	Department string `json:"department"`
	Now        []int  `json:"now"`     // with the doctor
	Called     []int  `json:"called"`  // asked to come, the latest first
	Waiting    []int  `json:"waiting"` // in order
	DelayMin   int    `json:"delay_min"`
}

// Display reads the numbers of a place's day.
func (s *Service) Display(ctx context.Context, at ids.Institution) (list []Numbers, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if !slices.Contains(authz.ScopeFrom(ctx).Places(), at) {
			return fault.Missing()
		}
		list, err = selectCalls(ctx, tx, at, s.Now())
		return err
	})
	return list, err
}
