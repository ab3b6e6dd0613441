package prescribe

import (
	"context"
	"fmt"
	"strings"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/paper"
)

// footWords are the statements at the foot of the paper: RXR-11, RXR-13, RXE-22, and what a copy can't prove (RXR-08).
var footWords = []string{
	"处方药须凭处方在药师指导下购买和使用。您可自主选择药店。处方在有效期内使用，过期作废。",
	"本件是电子处方的纸质副本，以医师、药师电子签名并加盖医院电子印章的电子处方为准。扫码可验真伪，不能证明没有用过；取药须联网核验取药码，一次有效。",
}

var (
	kinds  = map[string]string{"general": "普通处方", "emergency": "急诊处方", "long": "长期处方"}
	sexes  = map[string]string{"M": "男", "F": "女"}
	routes = map[string]string{"po": "口服", "sl": "舌下含服", "iv": "静脉注射", "im": "肌内注射", "sc": "皮下注射", "inh": "吸入", "oph": "滴眼", "td": "贴皮肤"}
	forms  = map[string]string{"tab": "片剂", "cap": "胶囊", "gran": "颗粒", "inh": "吸入剂", "inj": "注射剂", "nas": "鼻用", "neb": "雾化液", "oph": "眼用",
		"ot": "耳用", "pat": "贴剂", "sl": "舌下片", "sol": "口服液", "spray": "喷雾剂", "sr": "缓释剂", "sup": "栓剂", "top": "外用", "vag": "阴道用"}
)

// Sheet is the paper of an issued prescription (PDF, A5) and its number.
func (s *Service) Sheet(ctx context.Context, id ids.Prescription) (pdf []byte, no string, err error) {
	var p Prescription
	var about about
	err = s.inTx(ctx, func(tx tx) error {
		if p, err = s.read(ctx, tx, id); err != nil {
			return err
		}
		if about, err = selectAbout(ctx, tx, p); err != nil {
			return err
		}
		return s.record(ctx, tx, id, p.Person.ID, p.Institution.ID)
	})
	if err != nil {
		return nil, "", err
	}
	pdf, err = s.draw(p, about)
	return pdf, p.No, err
}

// ClaimSheet is the paper for the pharmacy that holds a part.
func (s *Service) ClaimSheet(ctx context.Context, part ids.Part) (pdf []byte, no string, err error) {
	var p Prescription
	var about about
	err = s.inTx(ctx, func(tx tx) error {
		if p, err = s.held(ctx, tx, part); err != nil {
			return err
		}
		about, err = selectAbout(ctx, tx, p)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	pdf, err = s.draw(p, about)
	return pdf, p.No, err
}

// ClaimProof is ProofOf for the pharmacy that holds a part.
func (s *Service) ClaimProof(ctx context.Context, part ids.Part) (Proof, error) {
	var p Prescription
	err := s.inTx(ctx, func(tx tx) (err error) {
		p, err = s.held(ctx, tx, part)
		return err
	})
	if err != nil {
		return Proof{}, err
	}
	return s.proofOf(ctx, p)
}

// held is the prescription of which the subject's pharmacy holds a part.
func (s *Service) held(ctx context.Context, tx tx, part ids.Part) (p Prescription, err error) {
	place, err := holding(ctx, tx, part, authz.ScopeFrom(ctx).Places(), s.Now())
	if err != nil {
		return p, err
	}
	id, err := prescriptionOfPart(ctx, tx, part, place)
	if err != nil {
		return p, err
	}
	list, err := selectPrescriptions(ctx, tx, authz.System("prescription.claim"), filter{ID: id})
	if err != nil || len(list) == 0 {
		return p, fmt.Errorf("part %s: %w", part, err)
	}
	if p, err = s.shown(list[0]); err != nil {
		return p, err
	}
	return p, audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "prescription/" + p.ID.String(), Person: p.Person.ID, Place: place})
}

// about is what the paper says beside the signed text.
type about struct {
	Department string
	WeightKg   *string
	Diagnosis  []string // code and name
	SealedAt   *time.Time
	SealAlg    *string
	SealKey    *string
}

func (s *Service) draw(p Prescription, a about) ([]byte, error) {
	if p.row.EvidenceCode == nil {
		return nil, fault.New(fault.Conflict, "not_approved", "处方还没有通过审核，没有纸质副本。", "The prescription isn't approved; there is no paper.").
			WithRemedy("请等药师审核。", "Please wait for the pharmacist.")
	}
	sheet := paper.Sheet{Hospital: p.Institution.Name, No: p.No, Kind: kinds[p.Type], Patient: p.Person.Name, Sex: sexes[p.Person.Sex],
		Age: ageWords(age(p.row.BirthDate, *p.SignedAt)), Department: a.Department, Diagnosis: a.Diagnosis, Issued: *p.SignedAt, ValidUntil: *p.ValidUntil,
		DaysReason: p.DaysReason, Doctor: strings.TrimSpace(p.Doctor.Name + " " + p.Doctor.Title), SignedAt: *p.SignedAt,
		Code: s.VerifyURL + *p.row.EvidenceCode, Words: footWords}
	if p.Review != nil {
		sheet.Pharmacist, sheet.ReviewedAt = p.Review.Pharmacist, p.Review.At
	}
	if a.WeightKg != nil {
		sheet.Weight = *a.WeightKg + " kg"
	}
	if a.SealedAt != nil {
		sheet.SealedAt, sheet.SealAlg, sheet.SealKey = *a.SealedAt, *a.SealAlg, *a.SealKey
	}
	_, sheet.Simulated = s.Keys.CA.(interface{ Simulated() })
	if p.State == Void {
		sheet.Void, sheet.Code = "已作废", ""
	}
	for _, i := range p.Items {
		sheet.Lines = append(sheet.Lines, paper.Line{Name: i.Name.ZH, Form: forms[i.Form], Quantity: i.Quantity, Use: i.useWords()})
	}
	return sheet.PDF()
}

var timings = map[string]string{"before_meal": "餐前", "with_meal": "随餐", "after_meal": "餐后", "morning": "早晨", "bedtime": "睡前"}

// useWords says how to take a line, a number tied to its unit by a no-break space.
func (i Item) useWords() string {
	amount := i.Dose + "\u00a0" + i.Unit
	if i.Product != "" {
		amount = i.Units + "\u00a0片（支、袋）"
	}
	often := fmt.Sprintf("每日\u00a0%d\u00a0次", i.PerDay)
	if i.PerWeek > 0 {
		often = fmt.Sprintf("每周\u00a0%d\u00a0次", i.PerWeek)
	}
	parts := []string{"每次\u00a0" + amount, often}
	if route := routes[i.Route]; route != "" {
		parts = append(parts, route)
	}
	if when := timings[i.Timing]; when != "" {
		parts = append(parts, when)
	}
	return strings.Join(append(parts, fmt.Sprintf("共\u00a0%d\u00a0天", i.Days)), "，")
}

// ageWords: small children's in months (RXE-09).
func ageWords(months int) string {
	if months < 36 {
		return fmt.Sprintf("%d个月", months)
	}
	return fmt.Sprintf("%d岁", months/12)
}
