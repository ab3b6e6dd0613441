package prescribe

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/skip2/go-qrcode"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/prescribe/check"
)

const (
	lease      = 30 * time.Minute // a claim that is not dispensed lapses, so that the patient can go elsewhere
	wrongCodes = 10               // in an hour, then the pharmacy waits: codes have 128 bits, but nobody shall try
)

// Code is the claim code of a part. It is shown once; the house keeps its hash only.
type Code struct {
	Code string `json:"code"`
	PNG  []byte `json:"png" doc:"QR of the code"`
	Part int    `json:"part"`
}

// NewCode gives the patient a claim code for a part, to show at any approved pharmacy (RXR-13). A new code ends the
// one before.
func (s *Service) NewCode(ctx context.Context, id ids.Prescription, part int) (Code, error) {
	code := Code{Code: rand.Text(), Part: part}
	err := s.inTx(ctx, func(tx tx) error {
		if err := lock(ctx, tx, id); err != nil {
			return err
		}
		p, err := s.read(ctx, tx, id)
		if err != nil {
			return err
		}
		if part < 1 || part > len(p.Parts) {
			return fault.Missing()
		}
		if err := collectable(p, p.Parts[part-1]); err != nil {
			return err
		}
		put, err := putToken(ctx, tx, p.Parts[part-1].ID, hashOf(code.Code), s.Now())
		if err != nil || !put {
			return orMovedOn(err, p) // a pharmacy was faster
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	if err != nil {
		return Code{}, err
	}
	code.PNG, err = qrcode.Encode(code.Code, qrcode.Medium, 480)
	return code, err
}

func collectable(p Prescription, part Part) error {
	switch {
	case p.State != Approved:
		return movedOn(p)
	case planned(p.Order) && p.PlanToldAt == nil:
		return fault.New(fault.Refused, "plan_unconfirmed", "超过 4 周的长期处方，须先由您确认。", "A plan above four weeks needs your confirmation first.").
			WithRemedy("请先看计划并确认。", "Read the plan and confirm it.")
	case part.State == "paused":
		return fault.New(fault.Refused, "part_paused", "您的回答需要医生先看，这一期暂停取药。", "A doctor has to look at your answers first; this part is paused.").
			WithRemedy("请约一次复诊。", "Please book a visit.")
	case part.Part > 1 && part.CheckedInAt == nil:
		return fault.New(fault.Refused, "check_in_first", "取下一期药前，请先回答几个问题。", "Please answer a few questions before the next part.").
			WithRemedy("一分钟就好。", "It takes a minute.")
	case part.State != "ready":
		return fault.New(fault.Conflict, "part_not_ready", "这一期现在不能取："+partWord[part.State].ZH+"。", "This part can't be collected now: "+partWord[part.State].EN+".").
			WithRemedy("请看日期。", "Please look at the dates.").With(map[string]string{"pharmacy": part.Pharmacy})
	}
	return nil
}

var partWord = map[string]fault.Text{"waiting": {ZH: "还没到日期", EN: "it is too early"}, "claimed": {ZH: "药店正在配", EN: "a pharmacy is preparing it"},
	"dispensed": {ZH: "已经取过", EN: "it was collected"}, "void": {ZH: "已作废", EN: "it is void"}, "expired": {ZH: "已过期", EN: "it has expired"}}

func hashOf(code string) []byte {
	sum := sha256.Sum256([]byte(strings.ToUpper(strings.Join(strings.FieldsFunc(code, func(r rune) bool { return r == ' ' || r == '-' }), ""))))
	return sum[:]
}

// Claim is a part that a pharmacy holds: now, and only now, it sees what is on it.
type Claim struct {
	PartID       ids.Part    `json:"part_id"`
	No           string      `json:"no"`
	Part         int         `json:"part"`
	State        string      `json:"state" enum:"claimed,dispensed,ready" doc:"ready: handed out in part, the rest is with the patient again"`
	LeaseUntil   time.Time   `json:"lease_until"`
	Patient      string      `json:"patient"`
	Sex          string      `json:"sex"`
	Age          int         `json:"age"`
	Diagnosis    []string    `json:"diagnosis"`
	Doctor       string      `json:"doctor"`
	Hospital     string      `json:"hospital"`
	EvidenceCode string      `json:"evidence_code"`
	Lines        []ClaimLine `json:"lines"`
}

// ClaimLine is a line with what of it is still to be handed out.
type ClaimLine struct {
	Item       // days: of this part
	Remain int `json:"remain" doc:"days of supply still to be handed out"`
}

// Claiming is the pharmacy's act.
type Claiming struct {
	Code    string `json:"code" minLength:"20" maxLength:"60"`
	Channel string `json:"channel" enum:"walk_in,online_retail,hospital_pickup"`
}

// ClaimPart gives a part to the first pharmacy that shows its code. Under any race one wins: the statement names the
// state it leaves. Who comes second is told who was first.
func (s *Service) ClaimPart(ctx context.Context, act Claiming) (claim Claim, err error) {
	var refused error
	account := authz.SubjectFrom(ctx).Account
	err = s.inTx(ctx, func(tx tx) error {
		at := s.Now()
		won, err := claimPart(ctx, tx, attempt{hashOf(act.Code), authz.ScopeFrom(ctx).Places(), act.Channel, account, at, at.Add(lease)})
		if err != nil {
			return err
		}
		if !won.ID.IsZero() {
			if claim, err = s.claimOf(won); err != nil {
				return err
			}
			if err := s.fitsChannel(claim, act.Channel); err != nil {
				return err
			}
			return won.read(ctx, tx)
		}
		here, err := s.counter(ctx, tx, act.Channel)
		if err != nil {
			return err
		}
		part, why, err := s.whyNot(ctx, tx, act.Code, here)
		if refused = why; err != nil || refused != nil {
			if refused != nil && part.IsZero() { // kept, although nothing was claimed
				return insertEvent(ctx, tx, ids.Part{}, here.Place, account, event{Deed: "wrong_code", At: at})
			}
			return err
		}
		claim, err = s.claim(ctx, tx, part, here.Place) // the same pharmacy asks again
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Claim{}, err
	}
	s.reread(ctx, claim.PartID, "")
	return claim, nil
}

// reread lets the screens of patients, doctors and pharmacists ask again who look at this part, or hold packs of this lot. What was done
// is done if that fails: a page asks again by itself.
func (s *Service) reread(ctx context.Context, part ids.Part, lot string) {
	events, err := concerned(ctx, s.DB, part, lot)
	if err != nil {
		slog.WarnContext(ctx, "screens were not told of a part", "error", err)
	}
	for _, e := range events {
		s.Live.Publish(e)
	}
}

// counter is the approved pharmacy at which the subject stands, in date and with this channel (RXR-09).
func (s *Service) counter(ctx context.Context, tx tx, channel string) (counter, error) {
	here, err := selectCounter(ctx, tx, authz.ScopeFrom(ctx).Places(), channel, s.Now())
	if err != nil {
		return here, err
	}
	if here.Place.IsZero() {
		return here, fault.New(fault.Refused, "pharmacy_not_approved", "本店没有通过审核、已过期或被暂停，或没有这个供药方式，不能配药。",
			"This pharmacy is not approved, out of date or suspended, or may not dispense by this channel.").
			WithRemedy("请联系平台管理员。", "Ask the platform's administrator.")
	}
	if here.Wrong >= wrongCodes {
		return here, fault.New(fault.Limited, "too_many_wrong_codes", "一小时内错误的取药码太多，请稍后再试。", "Too many wrong codes within an hour; please wait.").
			WithRemedy("请核对顾客出示的码。", "Check the code that the customer shows.")
	}
	return here, nil
}

// whyNot tells why a code did not claim; the part alone when this pharmacy holds it already; neither when nobody knows the code.
func (s *Service) whyNot(ctx context.Context, tx tx, code string, here counter) (ids.Part, error, error) {
	found, err := selectByToken(ctx, tx, hashOf(code))
	if err != nil {
		return ids.Part{}, nil, err
	}
	if found.ID.IsZero() {
		return found.ID, fault.New(fault.NotFound, "code_unknown", "没有这个取药码，或已换成新码。", "Nobody knows this code, or a newer one replaced it.").
			WithRemedy("请顾客重新出示取药码。", "Ask the customer to show the code again."), nil
	}
	taken := found.State == "dispensed" || found.State == "claimed" && found.LeaseUntil.After(s.Now())
	switch {
	case taken && found.ClaimedBy == here.Place && found.State == "claimed":
		return found.ID, nil, nil
	case taken:
		return found.ID, fault.New(fault.Conflict, "already_claimed",
			"这张处方已由"+found.Pharmacy+"取用。", "This prescription was taken by "+found.Pharmacy+".").
			WithRemedy("请勿重复配药；有疑问请联系该药店。", "Do not dispense it again; ask that pharmacy.").
			With(map[string]string{"pharmacy": found.Pharmacy, "state": found.State, "at": found.ClaimedAt.UTC().Format(time.RFC3339)}), nil
	case !here.Checked:
		return found.ID, fault.New(fault.Refused, "recheck_missed", "本店证件没有按时复核，暂不能取用新的处方；已经取用的照常发药。",
			"This pharmacy's papers were not read again in time: it can claim nothing new, and hands out what it holds.").
			WithRemedy("请联系平台管理员复核。", "Ask the platform's administrator for the recheck."), nil
	}
	return found.ID, fault.New(fault.Gone, "not_collectable", "这张处方现在不能取：已作废、过期、暂停或还没到日期。", "This can't be collected now: void, expired, paused or too early.").
		WithRemedy("请顾客看处方页面。", "Ask the customer to look at the prescription's page."), nil
}

// fitsChannel holds the rules on how a drug may reach the patient (RXR-10): the engine's own, asked for this channel.
// None of them is about what is collected in person, so that goes on where the knowledge is lost.
func (s *Service) fitsChannel(c Claim, channel string) error {
	if s.Knowledge == nil && channel != "online_retail" {
		return nil
	}
	kb, err := s.knowledge()
	if err != nil {
		return err
	}
	asked := check.Case{Context: check.Context{Channel: "online", Fulfil: channel}}
	if channel == "walk_in" {
		asked.Context.Fulfil = "walk_in_pharmacy"
	}
	o := Order{}
	for _, line := range c.Lines {
		o.Items = append(o.Items, line.Item)
	}
	asked.Items = items(o)
	var against []check.Alert
	for _, a := range check.Run(kb, asked).Alerts {
		if strings.HasPrefix(a.Type, "R_NETSALE") || a.Type == "R_FORM_CHANNEL" {
			against = append(against, a)
		}
	}
	if len(against) == 0 {
		return nil
	}
	return fault.New(fault.Refused, "channel_not_allowed", "其中有不得以此方式供应的药品。", "A drug on it may not be supplied by this channel.").
		WithRemedy("请顾客到店或回医院取药。", "The customer collects it in person, or at the hospital.").
		With(map[string][]check.Alert{"alerts": against})
}

// claim reads what a pharmacy holds.
func (s *Service) claim(ctx context.Context, tx tx, part ids.Part, place ids.Institution) (Claim, error) {
	h, err := selectHeldPart(ctx, tx, part, place)
	if err != nil {
		return Claim{}, err
	}
	c, err := s.claimOf(h)
	if err != nil {
		return Claim{}, err
	}
	return c, h.read(ctx, tx)
}

// claimOf shows a held part to its pharmacy.
func (s *Service) claimOf(h heldPart) (Claim, error) {
	state := Part{State: h.State, NotBefore: h.NotBefore, NotAfter: h.NotAfter, LeaseUntil: &h.LeaseUntil, PausedAt: h.PausedAt}.today(s.Now())
	c := Claim{PartID: h.ID, No: h.No, Part: h.Part, State: state, LeaseUntil: h.LeaseUntil, Patient: h.Patient, Sex: h.Sex, Age: age(h.BirthDate, s.Now()) / 12,
		Diagnosis: h.Diagnosis, Doctor: h.Doctor, Hospital: h.Hospital, EvidenceCode: h.EvidenceCode}
	var all []Item
	var lines []PartLine
	if err := errors.Join(json.Unmarshal(h.Items, &all), json.Unmarshal(h.Lines, &lines)); err != nil {
		return c, fmt.Errorf("part %s: %w", h.ID, err)
	}
	for _, line := range lines {
		item := all[line.Line-1]
		item.Days = line.Days
		c.Lines = append(c.Lines, ClaimLine{item, line.Remain})
	}
	return c, nil
}

// read records that the pharmacy has seen what is on it.
func (h heldPart) read(ctx context.Context, tx tx) error {
	return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "prescription/" + h.PrescriptionID.String(), Person: h.PersonID, Place: h.Place})
}

// Claims lists what the subject's pharmacy holds now.
func (s *Service) Claims(ctx context.Context) (list []Claim, err error) {
	list = []Claim{}
	err = s.inTx(ctx, func(tx tx) error {
		held, err := selectHeld(ctx, tx, authz.ScopeFrom(ctx).Places(), s.Now())
		if err != nil {
			return err
		}
		for _, h := range held {
			c, err := s.claim(ctx, tx, h.ID, h.ClaimedBy)
			if err != nil {
				return err
			}
			list = append(list, c)
		}
		return nil
	})
	return list, err
}

// HandOut is what was handed over of one line: days of supply, lot, and the trace code of each pack.
type HandOut struct {
	Line  int      `json:"line" minimum:"1" maximum:"5"`
	Days  int      `json:"days" minimum:"1" maximum:"90"`
	Lot   string   `json:"lot" minLength:"1" maxLength:"60"`
	Trace []string `json:"trace" minItems:"1" maxItems:"50" doc:"药品追溯码, one a pack"`
}

// Dispensing is the hand-over: use explained, lines in full or in part.
type Dispensing struct {
	Lines      []HandOut `json:"lines" minItems:"1" maxItems:"5"`
	Counselled bool      `json:"counselled" doc:"four checks done and use explained (RXR-14)"`
}

// Dispense hands over lines of a claimed part. What remains goes back to the patient, who gets a new code and may go
// elsewhere; Postgres refuses more than was prescribed, and a pack that was handed over before.
func (s *Service) Dispense(ctx context.Context, id ids.Part, act Dispensing) (claim Claim, err error) {
	if !act.Counselled {
		return Claim{}, fault.New(fault.Invalid, "counsel_first", "请先完成四查十对并交代用法。", "Do the four checks and explain the use first.").
			WithRemedy("完成后勾选再发药。", "Tick it when done.")
	}
	err = s.inTx(ctx, func(tx tx) error {
		place, err := holding(ctx, tx, id, authz.ScopeFrom(ctx).Places(), s.Now())
		if err != nil {
			return err
		}
		e := event{ID: uuid.New(), Deed: "dispense", Lines: act.Lines, Counselled: true, At: s.Now()}
		if claim, err = s.claim(ctx, tx, id, place); err != nil {
			return err
		}
		if err := s.dispenseEvent(ctx, tx, claim, place, e); err != nil {
			return err
		}
		for _, line := range act.Lines {
			if err := handOut(ctx, tx, id, e.ID, line); err != nil {
				return err
			}
		}
		if err := finishPart(ctx, tx, id); err != nil {
			return err
		}
		claim, err = s.claim(ctx, tx, id, place)
		return err
	})
	switch {
	case pg.Violates(err, "trace_code_pkey"):
		return Claim{}, fault.New(fault.Conflict, "trace_code_used", "有追溯码已经发过药：同一盒药不能发两次。", "A trace code was handed over before: one pack, once.").
			WithRemedy("请核对药盒，停止发药。", "Check the pack and stop.")
	case pg.Violates(err, "prescription_part_line_check"), pg.Violates(err, "prescription_part_line_remain_check"):
		return Claim{}, fault.New(fault.Conflict, "more_than_prescribed", "超过处方剩余的天数。", "That is more than is left on the prescription.").
			WithRemedy("请按剩余天数发药。", "Hand out what is left.")
	}
	if err == nil {
		s.reread(ctx, id, "")
	}
	return claim, err
}

// Release gives a claimed part back before anything was handed out of this claim; the same code works elsewhere.
func (s *Service) Release(ctx context.Context, id ids.Part) error {
	err := s.inTx(ctx, func(tx tx) error {
		place, err := holding(ctx, tx, id, authz.ScopeFrom(ctx).Places(), s.Now())
		if err != nil {
			return err
		}
		c, err := s.claim(ctx, tx, id, place)
		if err != nil {
			return err
		}
		if err := s.dispenseEvent(ctx, tx, c, place, event{Deed: "release", At: s.Now()}); err != nil {
			return err
		}
		return releasePart(ctx, tx, id)
	})
	if err == nil {
		s.reread(ctx, id, "")
	}
	return err
}

// Recall calls a lot back: patients who hold packs of it see it on their prescription.
func (s *Service) Recall(ctx context.Context, r Recalled) (packs int, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if packs, err = insertRecall(ctx, tx, r, authz.SubjectFrom(ctx).Account, s.Now()); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "recall/" + r.Lot, Reason: r.Reason})
	})
	if pg.Violates(err, "recall_lot_key") {
		return 0, fault.New(fault.Conflict, "recalled_before", "这个批号已经召回。", "This lot was called back before.").WithRemedy("不用再做。", "There is nothing more to do.")
	}
	if err == nil {
		s.reread(ctx, ids.Part{}, r.Lot)
	}
	return packs, err
}

// withdrawParts ends what nobody has claimed; a prescription of which a part is at a pharmacy or handed out is not cancelled.
func (s *Service) withdrawParts(ctx context.Context, tx tx, p Prescription) error {
	if len(p.Parts) == 0 {
		return nil
	}
	untouched, err := voidParts(ctx, tx, p.ID, s.Now())
	if err != nil || untouched {
		return err
	}
	return fault.New(fault.Conflict, "being_dispensed", "药店已在配药或已发药，不能作废。", "A pharmacy holds it or has dispensed it; it can't be cancelled.").
		WithRemedy("请直接联系药店和患者。", "Speak with the pharmacy and the patient.")
}

type event struct {
	ID         uuid.UUID
	Deed       string
	Lines      []HandOut
	Counselled bool
	At         time.Time
}

func (s *Service) dispenseEvent(ctx context.Context, tx tx, c Claim, place ids.Institution, e event) error {
	return insertEvent(ctx, tx, c.PartID, place, authz.SubjectFrom(ctx).Account, e)
}
