package consult_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult"
	"yuanzhen/internal/ids"
)

// The neighbour who prescribes learns how the visit stands and which earlier diagnoses count, and nobody else's doctor does.
func TestHowAVisitStands(t *testing.T) {
	w := newTown(t)
	v := w.begun()
	w.record(w.person, "E11.900", 20, "pending")
	w.exec(`INSERT INTO hospital_record (id, institution_id, record_no, id_lookup, icd10, dx_date, doc_type, department, doctor, taken_in_by, taken_in_at)
		SELECT gen_random_uuid(), i, 'M-' || n, $1, CASE n WHEN 1 THEN 'E78.500' ELSE 'J45.900' END, '2026-05-01', '门诊病历', '心内科', '刘洋', $2, now()
		FROM unnest($3::uuid[]) WITH ORDINALITY x (i, n)`, w.person[:], w.staff.Account, []string{w.hospital[0].String(), w.hospital[1].String()})
	standing := func(ctx context.Context) (s consult.Standing) {
		var b pgx.Batch
		w.AskStanding(ctx, &b, &s, v.ID)
		if err := w.DB.SendBatch(ctx, &b).Close(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(s.Evidence)
		return s
	}
	want := consult.Standing{Person: w.person, Practitioner: w.doctor.Practitioner, Institution: w.hospital[0], InConsult: true, Kind: "follow_up",
		Evidence: []string{"E78.500", "I10.x00"}} // the one nobody has checked and the one of the other hospital don't count
	if got := standing(w.as(w.doctor, "prescription.write")); !reflect.DeepEqual(got, want) {
		t.Errorf("in the visit: %+v, want %+v", got, want)
	}
	colleague := w.member("doctor", 0)
	colleague.Practitioner = ids.New[ids.Practitioner]()
	if got := standing(w.as(colleague, "prescription.write")); !reflect.DeepEqual(got, consult.Standing{}) {
		t.Errorf("another doctor: %+v", got)
	}
	w.exec(`UPDATE visit SET state = 'concluded', ended_at = now() WHERE id = $1`, v.ID)
	if got := standing(w.as(w.doctor, "prescription.write")); got.InConsult || got.Person != w.person {
		t.Errorf("after the visit: %+v", got)
	}
}
