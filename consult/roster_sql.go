package consult

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/eligibility"
	"yuanzhen/consult/schedule"
	"yuanzhen/internal/ids"
)

// legOf is half the way to a place (with_way), in seconds: the shortest from home and at the main place.
const legOf = `CASE WHEN $9 = 'online' OR r.kind = 'primary' THEN 450 ELSE r.way_min * 60 - 450 END`

// insertSlots returns nothing if there is no registration, or no licence, that is valid to the end of the last slot.
func insertSlots(ctx context.Context, tx tx, o Offer) ([]ids.Slot, error) {
	n := int(o.Span.Length() / o.Length)
	fresh := make([]ids.Slot, n)
	for i := range fresh {
		fresh[i] = ids.New[ids.Slot]()
	}
	return collect(ctx, tx, pgx.RowTo[ids.Slot], `
		INSERT INTO slot (id, practitioner_id, institution_id, registration_id, department, during, fee_fen, purpose, mode, leg_s, template_id)
		SELECT f.id, r.practitioner_id, r.institution_id, r.id, $4, tstzrange($5::timestamptz + (f.n - 1) * $6::interval, $5::timestamptz + f.n * $6::interval), $7, $8, $9, `+legOf+`, $10
		FROM registration r JOIN institution i ON i.id = r.institution_id CROSS JOIN unnest($1::uuid[]) WITH ORDINALITY AS f (id, n)
		WHERE r.practitioner_id = $2 AND r.institution_id = $3
		  AND r.during @> (($5::timestamptz + cardinality($1::uuid[]) * $6::interval - interval '1 microsecond') AT TIME ZONE i.zone)::date
		  AND i.licence_until >= (($5::timestamptz + cardinality($1::uuid[]) * $6::interval - interval '1 microsecond') AT TIME ZONE i.zone)::date
		RETURNING id`,
		texts(fresh), o.Doctor, o.Place, o.Department, o.Start, o.Length, o.FeeFen, cmp.Or(o.Purpose, "visit"), cmp.Or(o.Mode, "online"), o.Template)
}

// texts writes identifiers for a uuid[].
func texts[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, id := range list {
		out[i] = id.String()
	}
	return out
}

// blockOf finds the first thing in the doctor's calendar that the offer comes too close to.
func blockOf(ctx context.Context, tx tx, o Offer) (*Block, error) {
	b := Block{Rule: "MPP-05", Busy: &schedule.Span{}}
	var zone string
	err := tx.QueryRow(ctx, `
		SELECT lower(s.during), upper(s.during), s.purpose = 'duty', s.institution_id = $2, i.zone
		FROM registration r JOIN institution i ON i.id = r.institution_id JOIN slot s ON s.practitioner_id = r.practitioner_id AND s.withdrawn_at IS NULL
		WHERE r.practitioner_id = $1 AND r.institution_id = $2
		  AND s.during && tstzrange($3::timestamptz - interval '11 hours', $4::timestamptz + interval '11 hours')
		  AND CASE WHEN s.institution_id = $2 THEN s.during && tstzrange($3, $4)
		           ELSE with_way(s.during, s.leg_s) && with_way(tstzrange($3, $4), CASE WHEN $5 = 'online' OR r.kind = 'primary' THEN 450 ELSE r.way_min * 60 - 450 END) END
		ORDER BY lower(s.during) LIMIT 1`, o.Doctor, o.Place, o.Start, o.End, cmp.Or(o.Mode, "online")).
		Scan(&b.Busy.Start, &b.Busy.End, &b.duty, &b.here, &zone)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if b.duty {
		b.Rule = "MPP-06"
	}
	b.zone = place(zone)
	return &b, err
}

// place is the zone of a place. Names come from our own column; one that this machine doesn't know is China's.
func place(zone string) *time.Location {
	if loc, err := time.LoadLocation(zone); err == nil {
		return loc
	}
	return china
}

// slotRow is a slot as booking needs it.
type slotRow struct {
	ID             ids.Slot
	PractitionerID ids.Practitioner
	InstitutionID  ids.Institution
	Department     string
	Start          time.Time
	Taken          bool
}

// askSlot reads the slot of that id, nothing if it is no patient's or, for a booking, over or off the roster.
func askSlot(b *pgx.Batch, slot *slotRow, id ids.Slot, stage eligibility.Stage, now time.Time) {
	b.Queue(`
		SELECT s.id, s.practitioner_id, s.institution_id, s.department, lower(s.during),
		       EXISTS (SELECT FROM visit v WHERE v.slot_id = s.id AND v.state <> 'cancelled')
		FROM slot s WHERE s.purpose = 'visit' AND s.id = $1 AND ($2 <> 'booking' OR s.withdrawn_at IS NULL AND upper(s.during) > $3)`, id, string(stage), now).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&slot.ID, &slot.PractitionerID, &slot.InstitutionID, &slot.Department, &slot.Start, &slot.Taken)
			if errors.Is(err, pgx.ErrNoRows) {
				err = nil
			}
			return err
		})
}

// earliestSlot is the earliest open slot of the doctor or department, zero if there is none.
func earliestSlot(ctx context.Context, tx tx, a Ask, now time.Time) (id ids.Slot, err error) {
	err = tx.QueryRow(ctx, `
		SELECT s.id FROM slot s
		WHERE s.purpose = 'visit' AND s.department = @department AND (@doctor::uuid IS NULL OR s.practitioner_id = @doctor)
		  AND s.withdrawn_at IS NULL AND lower(s.during) > @now
		  AND NOT EXISTS (SELECT FROM visit v WHERE v.slot_id = s.id AND v.state <> 'cancelled')
		  AND NOT EXISTS (SELECT FROM hold h WHERE h.slot_id = s.id AND h.during @> now())
		ORDER BY lower(s.during) LIMIT 1`, pgx.NamedArgs{"now": now, "department": a.Department, "doctor": a.Doctor}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return id, err
}

// unbookedNow is the condition under which nobody has booked a slot s that can be booked at @now.
const unbookedNow = `s.purpose = 'visit' AND s.withdrawn_at IS NULL AND upper(s.during) > @now::timestamptz + interval '5 minutes'
	AND NOT EXISTS (SELECT FROM visit v WHERE v.slot_id = s.id AND v.state <> 'cancelled')`

// open: nor does anybody hold it. openTo: what @account holds itself is open to it. Holds go by the database's clock.
const (
	open   = unbookedNow + ` AND NOT EXISTS (SELECT FROM hold h WHERE h.slot_id = s.id AND h.during @> now())`
	openTo = unbookedNow + ` AND NOT EXISTS (SELECT FROM hold h WHERE h.slot_id = s.id AND h.during @> now() AND h.account_id IS DISTINCT FROM @account::uuid)`
)

const slotColumns = `s.id, lower(s.during), upper(s.during), i.id, i.name, s.department, s.fee_fen, s.mode, i.zone`

func scanSlot(row pgx.CollectableRow) (s Slot, err error) {
	err = row.Scan(&s.ID, &s.Start, &s.End, &s.Institution.ID, &s.Institution.Name, &s.Department, &s.FeeFen, &s.Mode, &s.Zone)
	return s, err
}

func selectSlots(ctx context.Context, tx tx, doctor ids.Practitioner, account ids.Account, now, until time.Time) ([]Slot, error) {
	return collect(ctx, tx, scanSlot, `
		SELECT `+slotColumns+` FROM slot s JOIN institution i ON i.id = s.institution_id
		WHERE s.practitioner_id = @doctor AND lower(s.during) BETWEEN @now::timestamptz - interval '4 hours' AND @until::timestamptz AND `+openTo+`
		ORDER BY lower(s.during) LIMIT 2000`, pgx.NamedArgs{"doctor": doctor, "account": account, "now": now, "until": until})
}

// selectNearest looks three slots to either side, of the doctor and then of the department at the place: as much as an index
// gives without reading a whole roster.
func selectNearest(ctx context.Context, tx tx, taken ids.Slot, now time.Time) ([]Slot, error) {
	var t slotRow
	err := tx.QueryRow(ctx, `SELECT practitioner_id, institution_id, department, lower(during) FROM slot WHERE id = $1`, taken).
		Scan(&t.PractitionerID, &t.InstitutionID, &t.Department, &t.Start)
	if errors.Is(err, pgx.ErrNoRows) {
		return []Slot{}, nil
	}
	if err != nil {
		return nil, err
	}
	side := func(other bool, after, order string) string {
		whose := `s.practitioner_id = @doctor`
		if other {
			whose = `s.institution_id = @place AND s.department = @department AND s.practitioner_id <> @doctor`
		}
		return `(SELECT s.*, ` + strconv.FormatBool(other) + ` AS other FROM slot s WHERE ` + whose + ` AND lower(s.during) ` + after + ` @start AND s.id <> @taken AND ` + open + `
			ORDER BY lower(s.during) ` + order + ` LIMIT 3)`
	}
	return collect(ctx, tx, scanSlot, `
		SELECT `+slotColumns+` FROM (`+side(false, ">=", "")+` UNION ALL `+side(false, "<", "DESC")+` UNION ALL `+side(true, ">=", "")+` UNION ALL `+side(true, "<", "DESC")+`) s
		JOIN institution i ON i.id = s.institution_id
		ORDER BY s.other, abs(extract(epoch FROM lower(s.during) - @start::timestamptz)), lower(s.during)
		LIMIT 3`, pgx.NamedArgs{"taken": taken, "now": now, "doctor": t.PractitionerID, "place": t.InstitutionID, "department": t.Department, "start": t.Start})
}

func selectDoctors(ctx context.Context, tx tx, department string, now time.Time) ([]DoctorOffer, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (d DoctorOffer, err error) {
		s := &Slot{}
		err = row.Scan(&s.ID, &s.Start, &s.End, &s.Institution.ID, &s.Institution.Name, &s.Department, &s.FeeFen, &s.Mode, &s.Zone, &d.PractitionerID, &d.Name, &d.Title)
		d.Institution, d.Department, d.FeeFen, d.Earliest = s.Institution, s.Department, s.FeeFen, s
		return d, err
	}, `
		SELECT `+slotColumns+`, d.id, d.name, d.title
		FROM practitioner d
		CROSS JOIN LATERAL (SELECT * FROM slot s WHERE s.practitioner_id = d.id AND (@department = '' OR s.department = @department) AND `+open+`
		                    ORDER BY lower(s.during) LIMIT 1) s
		JOIN institution i ON i.id = s.institution_id
		ORDER BY lower(s.during), d.name`, pgx.NamedArgs{"department": department, "now": now})
}

func selectConditions(ctx context.Context, tx tx) ([]FollowUpCondition, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (c FollowUpCondition, err error) {
		c.Online = true
		err = row.Scan(&c.ICD10, &c.Name.ZH, &c.Name.EN, &c.Department)
		return c, err
	}, `SELECT DISTINCT ON (icd10_cat) icd10_cat, name_zh, name_en, department FROM online_catalogue ORDER BY icd10_cat, institution_id`)
}

func selectInstitutions(ctx context.Context, tx tx) ([]InstitutionCard, error) {
	return collect(ctx, tx, pgx.RowToStructByName[InstitutionCard], `
		SELECT i.id, i.name, i.kind, i.region, i.address, i.phone,
		       ARRAY (SELECT d.name FROM institution_department d WHERE d.institution_id = i.id ORDER BY d.name) AS departments
		FROM institution i WHERE i.kind <> 'pharmacy' ORDER BY i.code`)
}
