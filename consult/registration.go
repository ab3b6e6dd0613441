package consult

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"yuanzhen/consult/schedule"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
)

// States of a filing.
const (
	FilingSubmitted State = "submitted"
	FilingConfirmed State = "confirmed"
	FilingRefused   State = "refused"
	FilingWithdrawn State = "withdrawn"
)

// FilingMoves is every change a filing can make.
var FilingMoves = []Move{
	{"file", nil, FilingSubmitted, "doctor", "a paper is attached; no other filing open at the institution", "document, validity"},
	{"confirm", []State{FilingSubmitted}, FilingConfirmed, "administrator of the institution", "MPP-01, MPP-02, MPP-04, MPP-07", "registration, membership"},
	{"refuse", []State{FilingSubmitted}, FilingRefused, "administrator of the institution", "reason", "reason"},
	{"withdraw", []State{FilingSubmitted}, FilingWithdrawn, "doctor", "", ""},
}

// Filing is a doctor's application to practise at an institution, with its paper. Only a confirmed one makes a
// registration; until then nothing can be booked there.
type Filing struct {
	ID          ids.Filing              `json:"id"`
	State       State                   `json:"state" enum:"submitted,confirmed,refused,withdrawn"`
	Doctor      Named[ids.Practitioner] `json:"doctor"`
	Title       string                  `json:"title"`
	Level       string                  `json:"level"`
	Institution Named[ids.Institution]  `json:"institution"`
	Kind        string                  `json:"kind" enum:"primary,filed,registered"`
	From        string                  `json:"from" format:"date"`
	Until       string                  `json:"until" format:"date" doc:"The last day"`
	WayMin      int                     `json:"way_min" doc:"Minutes between this place and the main one"`
	FileName    string                  `json:"file_name"`
	ContentType string                  `json:"content_type"`
	Note        string                  `json:"note,omitempty"`
	SubmittedAt time.Time               `json:"submitted_at"`
	DecidedAt   *time.Time              `json:"decided_at,omitempty"`

	objectKey string
}

// Registration is what a slot rests on: where a doctor may work, until when.
type Registration struct {
	ID          ids.Registration        `json:"id"`
	Doctor      Named[ids.Practitioner] `json:"doctor"`
	Title       string                  `json:"title"`
	Institution Named[ids.Institution]  `json:"institution"`
	Departments []string                `json:"departments" doc:"Of the institution, within the doctor's scope"`
	Kind        string                  `json:"kind" enum:"primary,filed,registered"`
	From        string                  `json:"from" format:"date"`
	Until       string                  `json:"until" format:"date" doc:"The last day"`
	DaysLeft    int                     `json:"days_left" doc:"Negative once it has ended"`
	WayMin      int                     `json:"way_min"`
	Zone        string                  `json:"zone" doc:"IANA zone of the place"`
}

// NewFiling is an application.
type NewFiling struct {
	InstitutionID ids.Institution `json:"institution_id"`
	Kind          string          `json:"kind" enum:"primary,filed,registered"`
	From          string          `json:"from" format:"date"`
	Until         string          `json:"until" format:"date"`
	WayMin        int             `json:"way_min" minimum:"15" maximum:"600"`
	FileName      string          `json:"file_name" minLength:"1" maxLength:"200"`
	Document      []byte          `json:"document" contentEncoding:"base64" doc:"Photo or PDF, at most 10 MB"`
}

func (n NewFiling) check(now time.Time) error {
	from, errFrom := time.Parse(schedule.DayFormat, n.From)
	until, errUntil := time.Parse(schedule.DayFormat, n.Until)
	switch {
	case errFrom != nil || errUntil != nil || until.Before(from) || until.Before(now):
		return fault.New(fault.Invalid, "validity_wrong", "有效期不对：止期要在起期之后，而且还没过。", "The validity is wrong: it must end after it begins, and not have ended.").
			WithRemedy("请照备案文件填写。", "Please copy it from the paper.")
	case len(n.Document) == 0 || len(n.Document) > maxEvidence:
		return fault.New(fault.Invalid, "document_missing", "请附上备案或注册文件，10 MB 以内。", "Attach the paper of the filing, up to 10 MB.").
			WithRemedy("请拍照或上传 PDF。", "Take a photo or upload a PDF.")
	case !slices.Contains(evidenceTypes, http.DetectContentType(n.Document)):
		return fault.New(fault.Unsupported, "file_type", "只能上传照片（JPEG、PNG）或 PDF。", "Only photos (JPEG, PNG) or PDF can be uploaded.").
			WithRemedy("请重新拍照，或转成 PDF。", "Please take a photo, or convert it to PDF.")
	}
	return nil
}

// File submits an application of the doctor who asks.
func (s *Service) File(ctx context.Context, n NewFiling, key string) (Filing, error) {
	if err := n.check(s.Now()); err != nil {
		return Filing{}, err
	}
	doctor := authz.SubjectFrom(ctx).Practitioner
	var f Filing
	err := s.inTx(ctx, func(tx tx) (err error) {
		f, err = filingOfRequest(ctx, tx, doctor, key)
		return err
	})
	if err != nil || !f.ID.IsZero() {
		return f, err
	}
	object, err := s.Files.Put(ctx, n.InstitutionID, bytes.NewReader(n.Document), int64(len(n.Document)))
	if err != nil {
		return Filing{}, err
	}
	sum, id := sha256.Sum256(n.Document), ids.New[ids.Filing]()
	err = s.inTx(ctx, func(tx tx) error {
		made, err := insertFiling(ctx, tx, id, doctor, n, object, http.DetectContentType(n.Document), sum[:], key, s.Now())
		if err == nil && !made {
			err = fault.Missing()
		}
		if err != nil {
			return err
		}
		if f, err = oneFiling(ctx, tx, authz.ScopeFrom(ctx), id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "filing.make", Object: "filing/" + id.String(), Place: n.InstitutionID})
	})
	if err != nil {
		s.unnamed(ctx, err, object)
	}
	if pg.Violates(err, "filing_one_open") {
		err = fault.New(fault.Conflict, "filing_open", "这家医院还有一份申请没有办完。", "An application to this hospital is still open.").
			WithRemedy("请等管理员办理，或先撤回那一份。", "Wait for the administrator, or withdraw that one first.").Because(err)
	}
	if err != nil {
		return Filing{}, err
	}
	s.tellFiling(f.ID.String(), f.Doctor.ID, f.Institution.ID)
	return f, nil
}

// Filings lists applications within the scope, the open ones first.
func (s *Service) Filings(ctx context.Context) (list []Filing, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectFilings(ctx, tx, authz.ScopeFrom(ctx), ids.Filing{})
		return err
	})
	return list, err
}

// FilingDocument opens the paper of a filing; the caller closes it.
func (s *Service) FilingDocument(ctx context.Context, id ids.Filing) (f Filing, file io.ReadCloser, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if f, err = oneFiling(ctx, tx, authz.ScopeFrom(ctx), id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "filing.read", Object: "filing/" + id.String(), Place: f.Institution.ID, Reason: "document"})
	})
	if err == nil {
		file, err = s.Files.Get(ctx, f.objectKey)
	}
	return f, file, err
}

// FilingAnswer is the administrator's word, or the doctor's withdrawal.
type FilingAnswer struct {
	Result string `json:"result" enum:"confirmed,refused,withdrawn"`
	Note   string `json:"note" maxLength:"500" required:"false"`
}

// SettleFiling confirms or refuses a filing at the administrator's own institution. The registration it makes is what
// the law allows, or it isn't made.
func (s *Service) SettleFiling(ctx context.Context, id ids.Filing, a FilingAnswer, key string) (Filing, error) {
	f, fresh, err := once(ctx, s, key, []any{id, a}, func(tx tx) (Filing, error) {
		f, err := oneFiling(ctx, tx, authz.ScopeFrom(ctx), id)
		if err != nil {
			return Filing{}, err
		}
		if a.Result == string(FilingRefused) && a.Note == "" {
			return Filing{}, fault.New(fault.Invalid, "reason_missing", "请写明不予确认的理由。", "Please say why it is refused.").
				WithRemedy("写一句医师看得懂的话。", "One sentence that the doctor understands.")
		}
		moved, err := settleFiling(ctx, tx, id, State(a.Result), a.Note, authz.SubjectFrom(ctx).Account, s.Now())
		if err != nil {
			return Filing{}, err
		}
		if !moved {
			return Filing{}, fault.New(fault.Conflict, "filing_settled", "这份申请已经办过了。", "This application has been settled.").
				WithRemedy("请刷新看结果。", "Refresh to see the result.")
		}
		if a.Result == string(FilingConfirmed) {
			if err := s.register(ctx, tx, f); err != nil {
				return Filing{}, err
			}
		}
		if err := audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "filing/" + id.String(), Place: f.Institution.ID, Reason: a.Result}); err != nil {
			return Filing{}, err
		}
		return oneFiling(ctx, tx, authz.ScopeFrom(ctx), id)
	})
	if pg.Violates(err, "registration_one_primary") {
		err = refusedBy("MPP-01", "本省已有主要执业机构，只能有一个。", "There is a primary institution in this province; there can be only one.",
			"请按多机构备案办理。", "File it as a further place of practice.").Because(err)
	}
	if err == nil && fresh {
		s.tellFiling(f.ID.String(), f.Doctor.ID, f.Institution.ID)
	}
	return f, err
}

// refusedBy is a refusal by a rule that has a name.
func refusedBy(rule, zh, en, remedyZH, remedyEN string) *fault.Error {
	return fault.New(fault.Refused, "rule_"+rule, zh+"（"+rule+"）", en+" ("+rule+")").WithRemedy(remedyZH, remedyEN).With(map[string]string{"rule": rule})
}

// register makes the registration of a confirmed filing, or extends it.
func (s *Service) register(ctx context.Context, tx tx, f Filing) error {
	assistant, elsewhere, here, err := standingIn(ctx, tx, f.Doctor.ID, f.Institution.ID, s.Now())
	switch {
	case err != nil:
		return err
	case assistant && elsewhere > 0:
		return refusedBy("MPP-07", "执业助理医师只能有一个执业地点。", "An assistant physician may have one place of practice only.",
			"不能确认；请先注销另一处。", "It can't be confirmed; the other place has to end first.")
	case f.Kind == "filed" && !here:
		return refusedBy("MPP-04", "医师在本省还没有主要执业机构或增加的注册。", "The doctor has no primary institution and no added registration in this province.",
			"跨省的请先增加注册。", "From another province, an added registration comes first.")
	}
	return putRegistration(ctx, tx, f)
}

// Registrations lists where doctors may work: of the doctor who asks, or at the places of the scope.
func (s *Service) Registrations(ctx context.Context) (list []Registration, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectRegistrations(ctx, tx, authz.ScopeFrom(ctx), ids.Registration{}, s.Now())
		return err
	})
	return list, err
}

// EndingRegistration says that a registration ends earlier than it was to.
type EndingRegistration struct {
	LastDay string `json:"last_day" format:"date"`
	Reason  string `json:"reason" minLength:"1" maxLength:"200"`
}

// EndRegistration ends a registration early (MPP-08): what was opened past its end is blocked in the same transaction, patients who
// had booked there are told and get their fee back.
func (s *Service) EndRegistration(ctx context.Context, id ids.Registration, e EndingRegistration, key string) (Cleared, error) {
	if _, err := time.Parse(schedule.DayFormat, e.LastDay); err != nil {
		return Cleared{}, fault.New(fault.Invalid, "day_wrong", "日期不对。", "This is not a date.").WithRemedy("请选最后一天。", "Choose the last day.").Because(err)
	}
	var ended Registration
	done, fresh, err := once(ctx, s, key, []any{id, e}, func(tx tx) (Cleared, error) {
		list, err := selectRegistrations(ctx, tx, authz.ScopeFrom(ctx), id, s.Now())
		if err != nil || len(list) == 0 {
			return Cleared{}, cmpErr(err, fault.Missing())
		}
		r := list[0]
		if e.LastDay >= r.Until || e.LastDay < r.From {
			return Cleared{}, fault.New(fault.Invalid, "day_wrong", "只能提前结束：要在起期之后、原止期之前。", "It can only end earlier: after its begin and before its end.").
				WithRemedy("要延长请让医师重新提交备案。", "To extend it, the doctor files anew.")
		}
		if err := shortenRegistration(ctx, tx, id, e.LastDay); err != nil {
			return Cleared{}, err
		}
		if err := audit.Write(ctx, tx, audit.Entry{Action: "registration.end", Object: "registration/" + id.String(), Place: r.Institution.ID, Reason: e.Reason}); err != nil {
			return Cleared{}, err
		}
		ended = r
		return s.clearSlots(ctx, tx, beyondRegistration(id), "filing_ends", nil)
	})
	if err == nil && fresh {
		s.tellFiling(id.String(), ended.Doctor.ID, ended.Institution.ID)
		s.tellCleared(done)
	}
	return done, err
}

// BlockLapsed blocks what stands open past the end of a registration or of the institution's licence, wherever that end came from:
// the house's daily duty (MPP-08).
func (s *Service) BlockLapsed(ctx context.Context) (done Cleared, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		done, err = s.clearSlots(ctx, tx, lapsed(), "filing_ends", nil)
		return err
	})
	if err == nil {
		s.tellCleared(done)
	}
	return done, err
}

// WarnEnding tells doctors, and the administrators of the place, that a registration ends within 30 days, and again within 7: in time to
// file it anew before slots are blocked. Each is told once, also when two server processes do this duty at once. Screens show it by themselves.
func (s *Service) WarnEnding(ctx context.Context) error {
	return s.inTx(ctx, func(tx tx) error {
		list, err := putWarnings(ctx, tx, s.Now())
		if err != nil {
			return err
		}
		var kept []audit.Entry
		for _, r := range list {
			kept = append(kept, audit.Entry{Action: "registration.warn", Object: "registration/" + r.ID.String(), Place: r.InstitutionID, Reason: r.Until})
			for _, account := range r.Accounts {
				if err := s.notify(ctx, tx, account, fmt.Sprintf("【远诊】%s医师在%s的执业备案到 %s 为止，还有 %d 天。之后的号会收回，请及时续办。", r.Doctor, r.Place, r.Until, r.Left)); err != nil {
					return err
				}
			}
		}
		return audit.Write(ctx, tx, kept...)
	})
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// tellFiling lets the screens of the doctor and of the institution ask again for filings and what they have become.
func (s *Service) tellFiling(id string, doctor ids.Practitioner, at ids.Institution) {
	s.Live.Publish(live.Event{Kind: "filing.changed", ID: id, Practitioners: []ids.Practitioner{doctor}, Places: []ids.Institution{at}})
}
