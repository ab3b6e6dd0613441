package prescribe

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
)

// instant is how soon after the visit began nobody has taken a history, asked and written a prescription.
const instant = 60 * time.Second

// Quality of prescribing over 30 days at the reader's places. It counts prescriptions and checks, never medicines by
// doctor (DOC-07): no figure here can pay anybody for what was prescribed.
type Quality struct {
	Prescriptions int          `json:"prescriptions" doc:"signed"`
	Interrupting  float64      `json:"interrupting" doc:"alerts that interrupt, for each prescription; the goal is 0.3"`
	Overridden    int          `json:"overridden" doc:"alerts signed over"`
	Seconded      int          `json:"seconded" doc:"hard stops lifted by a second person"`
	Reasons       []Count      `json:"reasons" doc:"why alerts were signed over"`
	Reviewed      int          `json:"reviewed"`
	ReviewMedianS int          `json:"review_median_s" doc:"from signature to review"`
	ReviewP95S    int          `json:"review_p95_s"`
	Returns       []Count      `json:"returns" doc:"why pharmacists returned or refused"`
	Suspicious    []Suspicious `json:"suspicious"`
}

// Count of a code.
type Count struct {
	Code string `json:"code"`
	N    int    `json:"n"`
}

// Suspicious is a prescription that the quality office should look at: signed within a minute of the visit's
// beginning, word for word another patient's of the same day, or with every line copied.
type Suspicious struct {
	No       string    `json:"no"`
	Doctor   string    `json:"doctor"`
	SignedAt time.Time `json:"signed_at"`
	Seconds  int       `json:"seconds" doc:"from the visit's beginning to the signature"`
	Instant  bool      `json:"instant"`
	Same     bool      `json:"same" doc:"the same lines for another patient on the same day"`
	Copied   bool      `json:"copied" doc:"every line was copied from before"`
	Unproven bool      `json:"unproven" doc:"no checked record of an earlier diagnosis"`
}

// Quality reads the figures.
func (s *Service) Quality(ctx context.Context) (q Quality, err error) {
	args := authz.ScopeFrom(ctx).With(pgx.NamedArgs{"since": s.Now().AddDate(0, 0, -30), "instant": instant.Seconds()})
	const mine = `rx.signed_at >= @since AND (@scope_all OR rx.institution_id = ANY (@scope_places::uuid[]))`
	err = s.inTx(ctx, func(tx tx) error {
		if err := tx.QueryRow(ctx, `
			SELECT count(*), coalesce(avg((SELECT count(*) FROM jsonb_array_elements(rx.checked->'alerts') a WHERE a->>'tier' = 'interruptive')), 0)::float8,
			       (SELECT count(*) FROM prescription_override o JOIN prescription rx ON rx.id = o.prescription_id WHERE `+mine+`),
			       (SELECT count(*) FROM prescription_second c JOIN prescription rx ON rx.id = c.prescription_id AND rx.sha256 = c.sha256 WHERE c.agrees AND `+mine+`)
			FROM prescription rx WHERE `+mine, args).Scan(&q.Prescriptions, &q.Interrupting, &q.Overridden, &q.Seconded); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `
			SELECT count(*), coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM v.at - rx.signed_at)), 0)::int,
			       coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM v.at - rx.signed_at)), 0)::int
			FROM prescription rx JOIN prescription_review v ON v.prescription_id = rx.id WHERE `+mine, args).Scan(&q.Reviewed, &q.ReviewMedianS, &q.ReviewP95S); err != nil {
			return err
		}
		if q.Reasons, err = counts(ctx, tx, `SELECT o.reason_code AS code, count(*) AS n FROM prescription_override o JOIN prescription rx ON rx.id = o.prescription_id WHERE `+mine+` GROUP BY 1 ORDER BY 2 DESC, 1`, args); err != nil {
			return err
		}
		if q.Returns, err = counts(ctx, tx, `SELECT v.reason_code AS code, count(*) AS n FROM prescription rx JOIN prescription_review v ON v.prescription_id = rx.id WHERE v.result <> 'pass' AND `+mine+` GROUP BY 1 ORDER BY 2 DESC, 1`, args); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT * FROM (
				SELECT rx.no, d.name AS doctor, rx.signed_at, extract(epoch FROM rx.signed_at - v.started_at)::int AS seconds,
				       extract(epoch FROM rx.signed_at - v.started_at) < @instant AS instant,
				       EXISTS (SELECT FROM prescription o WHERE o.practitioner_id = rx.practitioner_id AND o.person_id <> rx.person_id AND o.items = rx.items
				               AND o.signed_at BETWEEN rx.signed_at - interval '12 hours' AND rx.signed_at + interval '12 hours') AS same,
				       NOT EXISTS (SELECT FROM jsonb_array_elements(rx.items) i WHERE i->>'provenance' <> 'copied_confirmed') AS copied,
				       NOT EXISTS (SELECT FROM evidence e WHERE e.person_id = rx.person_id AND e.verify = 'verified') AS unproven
				FROM prescription rx JOIN visit v ON v.id = rx.visit_id JOIN practitioner d ON d.id = rx.practitioner_id
				WHERE `+mine+`) x
			WHERE instant OR same OR copied AND unproven ORDER BY signed_at DESC LIMIT 100`, args)
		if err != nil {
			return err
		}
		q.Suspicious, err = pgx.CollectRows(rows, pgx.RowToStructByName[Suspicious])
		return err
	})
	return q, err
}

func counts(ctx context.Context, tx tx, sql string, args pgx.NamedArgs) ([]Count, error) {
	rows, err := tx.Query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Count])
}
