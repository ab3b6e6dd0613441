package consult

import (
	"context"
	"slices"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// Agreement is the cooperation of two hospitals (TCR-02): who asks whom for what, from when until when. One side signs it by its
// administrator, the other accepts; either may end it. Without one in force no request goes out.
type Agreement struct {
	ID      agreementID            `json:"id"`
	State   string                 `json:"state" enum:"offered,in_force,to_come,expired,ended"`
	Inviter Named[ids.Institution] `json:"inviter"`
	Invited Named[ids.Institution] `json:"invited"`
	Kinds   []string               `json:"kinds"`
	Terms   string                 `json:"terms"`
	From    string                 `json:"from" format:"date"`
	Until   string                 `json:"until" format:"date" doc:"The last day"`
	Offered ids.Institution        `json:"offered_by" doc:"The side that signed first"`
	Signers []string               `json:"signers"`
	EndedAt *time.Time             `json:"ended_at,omitempty"`
}

type agreementID = ids.ID[Agreement]

// NewAgreement is what an administrator offers.
type NewAgreement struct {
	Inviter ids.Institution `json:"inviter_id"`
	Invited ids.Institution `json:"invited_id"`
	Kinds   []string        `json:"kinds" minItems:"1" maxItems:"4" enum:"consult,imaging,pathology,ecg"`
	Terms   string          `json:"terms" minLength:"10" maxLength:"8000" doc:"Purpose, content, process, duties, sharing of risk; or the number of the paper"`
	From    string          `json:"from" format:"date"`
	Until   string          `json:"until" format:"date"`
}

var crossBorder = fault.New(fault.Refused, "cross_border", "暂不支持境外会诊：双方都须是境内医疗机构。", "Cross-border consults are off: both sides must be hospitals of the mainland.").
	WithRemedy("请选境内的医院。", "Please choose a hospital of the mainland.")

// hospitalFor finds the licensed Internet hospital with the department, somebody who coordinates, and an agreement with the asking
// one: the wanted hospital, or any if none is wanted, but none of those in except.
func (s *Teleconsults) hospitalFor(ctx context.Context, tx tx, in NewTeleconsult, asking ids.Institution, except ...ids.Institution) (ids.Institution, error) {
	partner, err := selectPartner(ctx, tx, in, append(except, asking), asking, s.Now().In(china).Format(time.DateOnly))
	if err != nil {
		return ids.Institution{}, err
	}
	if partner.ID.IsZero() {
		return partner.ID, fault.New(fault.Invalid, "no_hospital", "没有医院开设这个科室的远程会诊。", "No hospital offers consults in this department.").
			WithRemedy("请换一个科室，或换一家医院。", "Choose another department, or another hospital.")
	}
	return partner.ID, partner.fit()
}

// mayJoin says why an expert of a further hospital can't take part: its agreement is with the asking one, as the invited one's is.
func (s *Teleconsults) mayJoin(ctx context.Context, tx tx, t Teleconsult, place ids.Institution) error {
	if place == t.Inviter.Institution.ID || place == t.Invited.ID {
		return nil
	}
	partner, err := selectPartnership(ctx, tx, place, t.Inviter.Institution.ID, t.Kind, s.Now().In(china).Format(time.DateOnly))
	if err != nil {
		return err
	}
	return partner.fit()
}

// fit is TCR-13, TCR-01 and TCR-02.
func (p partnerRow) fit() error {
	switch {
	case !p.Inland:
		return crossBorder
	case !p.Licensed:
		return fault.New(fault.Refused, "not_licensed", "有一方的医疗机构执业许可已过期。", "The licence of one of the hospitals has ended.").
			WithRemedy("请换一家医院，或请管理员更新许可。", "Choose another hospital, or let the administrator renew the licence.")
	case !p.Agreed:
		return fault.New(fault.Refused, "no_agreement", "两家医院没有生效的远程医疗合作协议。", "The two hospitals have no cooperation agreement in force.").
			WithRemedy("请医院管理员先签协议，或换一家有协议的医院。", "Let the administrators sign one first, or choose a hospital that has one.")
	}
	return nil
}

// Agreements lists those of the scope's hospitals.
func (s *Teleconsults) Agreements(ctx context.Context) (list []Agreement, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err = selectAgreements(ctx, tx, authz.ScopeFrom(ctx), agreementID{}, s.Now().In(china).Format(time.DateOnly))
		return err
	})
	return list, err
}

// OfferAgreement signs for one side.
func (s *Teleconsults) OfferAgreement(ctx context.Context, n NewAgreement) (a Agreement, err error) {
	if n.From > n.Until || n.Until < s.Now().In(china).Format(time.DateOnly) || n.Inviter == n.Invited {
		return a, fault.New(fault.Invalid, "agreement_wrong", "协议的医院或日期不对。", "The hospitals or the days are wrong.").
			WithRemedy("双方要是两家医院，止日不早于起日，也不早于今天。", "Name two hospitals, and a last day that is neither before the first nor past.")
	}
	mine := authz.ScopeFrom(ctx).Places()
	side := n.Inviter
	if !slices.Contains(mine, side) {
		side = n.Invited
	}
	if !slices.Contains(mine, side) {
		return a, fault.Missing()
	}
	err = s.inTx(ctx, func(tx tx) error {
		fit, err := mayAgree(ctx, tx, n)
		if err != nil {
			return err
		}
		if !fit {
			return crossBorder
		}
		id := ids.New[agreementID]()
		if err := insertAgreement(ctx, tx, id, n, side, authz.SubjectFrom(ctx).Account, s.Now()); err != nil {
			return err
		}
		a, err = s.agreement(ctx, tx, id, side)
		return err
	})
	return a, err
}

// AcceptAgreement signs for the other side.
func (s *Teleconsults) AcceptAgreement(ctx context.Context, id agreementID) (Agreement, error) {
	return s.settle(ctx, id, func(tx tx, a Agreement) (bool, error) {
		other := a.Inviter.ID
		if a.Offered == other {
			other = a.Invited.ID
		}
		if a.State != "offered" || !slices.Contains(authz.ScopeFrom(ctx).Places(), other) {
			return false, nil
		}
		return acceptAgreement(ctx, tx, id, authz.SubjectFrom(ctx).Account, s.Now())
	})
}

// EndAgreement ends it now; requests that are on their way go on, new ones don't go out.
func (s *Teleconsults) EndAgreement(ctx context.Context, id agreementID) (Agreement, error) {
	return s.settle(ctx, id, func(tx tx, _ Agreement) (bool, error) {
		return endAgreement(ctx, tx, id, authz.SubjectFrom(ctx).Account, s.Now())
	})
}

func (s *Teleconsults) settle(ctx context.Context, id agreementID, do func(tx tx, a Agreement) (bool, error)) (a Agreement, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		list, err := selectAgreements(ctx, tx, authz.ScopeFrom(ctx), id, s.Now().In(china).Format(time.DateOnly))
		if err != nil {
			return err
		}
		if len(list) == 0 || id.IsZero() {
			return fault.Missing()
		}
		done, err := do(tx, list[0])
		if err != nil {
			return err
		}
		if !done {
			return fault.New(fault.Conflict, "agreement_moved_on", "这份协议现在不能这样做。", "This can't be done with the agreement now.").
				WithRemedy("要由另一方医院的另一位管理员签；已结束的不能再签。", "The other hospital's administrator, another person, has to sign; what has ended can't be signed.")
		}
		a, err = s.agreement(ctx, tx, id, list[0].Offered)
		return err
	})
	return a, err
}

func (s *Teleconsults) agreement(ctx context.Context, tx tx, id agreementID, place ids.Institution) (Agreement, error) {
	list, err := selectAgreements(ctx, tx, authz.ScopeFrom(ctx), id, s.Now().In(china).Format(time.DateOnly))
	if err != nil {
		return Agreement{}, err
	}
	return list[0], audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "agreement/" + id.String(), Place: place})
}
