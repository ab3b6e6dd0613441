package consult

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// A recording ends when its time is over (process record, three years at least: 细则), two administrators of the hospital have agreed,
// and nobody holds it for a dispute. Sound and picture go; who was asked and what they said, who played it, and the certificate of
// its end stay.

// RecordingRules are what an institution has decided about recordings. They hold for recordings asked for from then on: a promise
// once made to a patient is not changed.
type RecordingRules struct {
	InstitutionID ids.Institution `json:"institution_id"`
	Institution   string          `json:"institution"`
	Required      bool            `json:"required" doc:"A patient who refuses is seen in person instead, with a full refund"`
	Years         int             `json:"years"`
}

// NewRecordingRules is a decision about recordings.
type NewRecordingRules struct {
	Required bool `json:"required"`
	Years    int  `json:"years" minimum:"3" maximum:"30"`
}

// EndingRecording is a recording as those who decide about its end see it: without the patient.
type EndingRecording struct {
	ID          ids.Recording `json:"id"`
	Kind        string        `json:"kind" enum:"visit,teleconsult"`
	Institution string        `json:"institution"`
	Doctor      string        `json:"doctor"`
	Recorded    time.Time     `json:"recorded_at"`
	Until       string        `json:"keep_until" format:"date"`
	State       string        `json:"state" enum:"kept,due,agreed,ending,held,erased" doc:"kept: its time is not over; agreed: by one; ending: by two"`
	Mine        bool          `json:"mine" doc:"The reader was the first to agree"`
	First       string        `json:"first,omitempty" doc:"Who agreed"`
	Second      string        `json:"second,omitempty"`
	HeldBy      string        `json:"held_by,omitempty"`
	HeldWhy     string        `json:"held_why,omitempty"`
	Parts       int           `json:"parts"`
	Bytes       int64         `json:"bytes"`
	Erased      *time.Time    `json:"erased_at,omitempty"`
	SHA256      string        `json:"sha256,omitempty" doc:"Of the hashes of the parts in order, once erased"`
}

// RecordingRules reads those of the reader's institutions.
func (s *Service) RecordingRules(ctx context.Context) (list []RecordingRules, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectRecordingRules(ctx, tx, authz.ScopeFrom(ctx), ids.Institution{})
		return err
	})
	return list, err
}

// SetRecordingRules decides about the recordings of one institution from now on.
func (s *Service) SetRecordingRules(ctx context.Context, place ids.Institution, n NewRecordingRules) (set RecordingRules, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		known, err := selectRecordingRules(ctx, tx, authz.ScopeFrom(ctx), place)
		if err != nil {
			return err
		}
		if len(known) == 0 || place.IsZero() {
			return fault.Missing()
		}
		if err := putRecordingRules(ctx, tx, place, n); err != nil {
			return err
		}
		set = known[0]
		set.Required, set.Years = n.Required, n.Years
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "recording_rules/" + place.String(), Place: place,
			Reason: fmt.Sprintf("required %t, %d years", n.Required, n.Years)})
	})
	return set, err
}

// EndingRecordings lists recordings whose time is over, those held, and what ended lately; or all that were made on one day: a dispute
// comes while their time runs.
func (s *Service) EndingRecordings(ctx context.Context, day string) (list []EndingRecording, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectEnding(ctx, tx, authz.ScopeFrom(ctx), s.Now(), authz.SubjectFrom(ctx).Account, ids.Recording{}, day)
		return err
	})
	return list, err
}

var notEnding = fault.New(fault.Conflict, "recording_not_ending", "这些录音录像里，有的不能由您同意销毁：时间没到、被留存，或者您已经同意过。",
	"One of these is not yours to agree to: its time is not over, it is held, or you have agreed already.").
	WithRemedy("请刷新页面再看。", "Please refresh the page.")

// AgreeToEnd is an administrator's word that recordings may be destroyed; the second one's, another's, decides. All or none.
func (s *Service) AgreeToEnd(ctx context.Context, recordings []ids.Recording) (list []EndingRecording, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		scope, who := authz.ScopeFrom(ctx), authz.SubjectFrom(ctx).Account
		agreed, err := putAgreement(ctx, tx, scope, recordings, who, s.Now())
		if err != nil {
			return err
		}
		if len(agreed) != len(recordings) {
			return notEnding
		}
		var entries []audit.Entry
		for _, r := range agreed {
			entries = append(entries, audit.Entry{Action: scope.Action, Object: "recording/" + r.ID.String(), Place: r.InstitutionID, Reason: r.Word})
		}
		if err := audit.Write(ctx, tx, entries...); err != nil {
			return err
		}
		list, err = selectEnding(ctx, tx, scope, s.Now(), who, ids.Recording{}, "")
		return err
	})
	return list, err
}

// HoldRecording keeps a recording for a dispute, at any time before it has ended and whatever was agreed before; without a reason it is released, and two have to
// agree anew.
func (s *Service) HoldRecording(ctx context.Context, id ids.Recording, why string) (r EndingRecording, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		scope, who := authz.ScopeFrom(ctx), authz.SubjectFrom(ctx).Account
		why = strings.TrimSpace(why)
		place, err := putHold(ctx, tx, scope, id, who, why, s.Now())
		if err != nil {
			return err
		}
		if place.IsZero() {
			return fault.Missing()
		}
		list, err := selectEnding(ctx, tx, scope, s.Now(), who, id, "")
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fault.Missing()
		}
		r = list[0]
		reason := "hold"
		if why == "" {
			reason = "release"
		}
		return audit.Write(ctx, tx, audit.Entry{Action: scope.Action, Object: "recording/" + id.String(), Place: place, Reason: reason})
	})
	return r, err
}

// RecordingEnd is the daily duty of EndRecordings.
type RecordingEnd struct{}

// RecordingEndEvery is how often.
const RecordingEndEvery = 24 * time.Hour

func (RecordingEnd) Kind() string { return "recording_end" }

// EndRecordings tells administrators what has come due and destroys what two of them have agreed to. The certificate is written
// first, and with it nobody can play or hold it any more; what a store that was away has kept goes the next day.
func (s *Service) EndRecordings(ctx context.Context) error {
	ctx = authz.WithScope(ctx, authz.System("recording.erase"))
	err := s.inTx(ctx, func(tx tx) error {
		due, err := putDue(ctx, tx, s.Now())
		if err != nil {
			return err
		}
		for _, d := range due {
			for _, account := range d.Accounts {
				if err := s.notify(ctx, tx, account, fmt.Sprintf("【远诊】%s有 %d 份录音录像保存到期。请到“录音录像”页面处理；有纠纷的请留存。", d.Place, d.Count)); err != nil {
					return err
				}
			}
		}
		ended, err := putErased(ctx, tx, s.Now())
		if err != nil {
			return err
		}
		var entries []audit.Entry
		for _, r := range ended {
			entries = append(entries, audit.Entry{Action: "recording.erase", Object: "recording/" + r.ID.String(), Person: r.PersonID, Place: r.InstitutionID,
				Reason: fmt.Sprintf("%d parts, %d bytes, sha256 %x", r.Parts, r.Bytes, r.SHA256)})
		}
		return audit.Write(ctx, tx, entries...)
	})
	if err != nil {
		return err
	}
	left, err := selectErasedObjects(ctx, s.DB)
	if err != nil {
		return err
	}
	var failed []error
	for id, keys := range left {
		if err := s.dropParts(ctx, id, keys); err != nil {
			failed = append(failed, fmt.Errorf("erase recording %s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

// dropParts deletes the objects, then the rows that name them: a row without its object is tried again, an object without a row never is.
func (s *Service) dropParts(ctx context.Context, id ids.Recording, keys []string) error {
	for _, key := range keys {
		if err := s.Files.Delete(ctx, key); err != nil {
			return err
		}
	}
	return deleteParts(ctx, s.DB, id)
}
