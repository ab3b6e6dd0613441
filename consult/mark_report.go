package consult

import (
	"context"
	"math/big"
	"strconv"

	"github.com/google/uuid"

	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
)

// KeepMarks is the job of storing the marks of a signed opinion into the studies they lie on (River).
type KeepMarks struct {
	Teleconsult ids.Teleconsult `json:"teleconsult"`
}

// Kind is River's name for it.
func (KeepMarks) Kind() string { return "teleconsult_keep_marks" }

// keepMarksLater leaves the duty with the signature's transaction. After it no mark changes.
func (s *Teleconsults) keepMarksLater(ctx context.Context, tx tx, id ids.Teleconsult) error {
	if s.Jobs == nil {
		return nil
	}
	return s.Jobs.InsertAt(ctx, tx, KeepMarks{id}, s.Now())
}

// KeepMarks stores measurements as a structured report, key images as a selection and what was drawn as presentation
// states, into each study that has any, where its hospital keeps it. Their UIDs follow from the consult, so that a repeated job stores the same bytes.
func (s *Teleconsults) KeepMarks(ctx context.Context, job KeepMarks) error {
	var list []Mark
	var signed signedOpinion
	err := s.inTx(ctx, func(tx tx) (err error) {
		if signed, err = selectSignedOpinion(ctx, tx, job.Teleconsult); err != nil {
			return err
		}
		list, err = selectMarks(ctx, tx, job.Teleconsult)
		return err
	})
	if err != nil {
		return err
	}
	studies := map[string][]dicom.ReportMark{}
	for _, m := range list {
		if m.Gone {
			continue
		}
		r := dicom.ReportMark{UID: uidOf(uuid.UUID(m.ID)), SOP: m.SOP, Frame: m.Frame, Tool: m.Tool, Text: m.Text, Author: m.Author.Name}
		for _, p := range m.Points {
			r.Points = append(r.Points, [2]float64{p.X, p.Y})
		}
		if m.Found != nil {
			r.Found = &dicom.ReportFound{Mean: m.Found.Mean, SD: m.Found.SD, Unit: m.Found.Unit}
		}
		studies[m.Study] = append(studies[m.Study], r)
	}
	for study, marks := range studies {
		report := func(kind string, number int) dicom.Report {
			derived := func(what string) string {
				return uidOf(uuid.NewSHA1(uuid.UUID(job.Teleconsult), []byte(study+" "+kind+" "+what)))
			}
			return dicom.Report{Series: derived("series"), SOP: derived("object"), Number: number,
				More: func(n int) string { return derived("object " + strconv.Itoa(n)) }, Author: signed.Expert,
				Institution: signed.Institution, At: signed.At.In(china), Marks: marks}
		}
		if err := s.Images.KeepReport(ctx, signed.Place, study, report("measurements", 9001), report("key images", 9002), report("drawings", 9003)); err != nil {
			return err
		}
	}
	return nil
}

// uidOf is a UUID as a UID (PS3.5 B.2).
func uidOf(u uuid.UUID) string { return "2.25." + new(big.Int).SetBytes(u[:]).String() }
