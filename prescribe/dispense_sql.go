package prescribe

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/prescribe/proof"
)

func insertParts(ctx context.Context, tx tx, rx ids.Prescription, parts []Part) error {
	for _, p := range parts {
		if _, err := tx.Exec(ctx, `
			INSERT INTO prescription_part (id, prescription_id, part, not_before, not_after, state) VALUES ($1, $2, $3, $4, $5, 'ready')`,
			p.ID, rx, p.Part, p.NotBefore, p.NotAfter); err != nil {
			return err
		}
		for _, l := range p.Lines {
			if _, err := tx.Exec(ctx, `INSERT INTO prescription_part_line (part_id, line, days, remain) VALUES ($1, $2, $3, $3)`, p.ID, l.Line, l.Days); err != nil {
				return err
			}
		}
	}
	return nil
}

func insertPlan(ctx context.Context, tx tx, rx ids.Prescription, by ids.Account, at time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO prescription_plan (prescription_id, account_id, confirmed_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, rx, by, at)
	return err
}

func putCheckIn(ctx context.Context, tx tx, rx ids.Prescription, c CheckIn, red bool, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE prescription_part SET checked_in_at = $3, answers = $4
		WHERE prescription_id = $1 AND part = $2 AND state = 'ready' AND checked_in_at IS NULL AND paused_at IS NULL AND not_before <= $5::date AND $3 < not_after`,
		rx, c.Part, at, c, dayOf(at))
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	if red {
		_, err = tx.Exec(ctx, `UPDATE prescription_part SET paused_at = $3, token_hash = NULL WHERE prescription_id = $1 AND part >= $2 AND state = 'ready'`, rx, c.Part, at)
	}
	return true, err
}

func unpause(ctx context.Context, tx tx, rx ids.Prescription) (bool, error) {
	tag, err := tx.Exec(ctx, `UPDATE prescription_part SET paused_at = NULL, checked_in_at = NULL WHERE prescription_id = $1 AND paused_at IS NOT NULL`, rx)
	return tag.RowsAffected() > 0, err
}

func putToken(ctx context.Context, tx tx, part ids.Part, hash []byte, at time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE prescription_part SET token_hash = $2, state = 'ready' WHERE id = $1 AND (state = 'ready' OR state = 'claimed' AND lease_until < $3)`, part, hash, at)
	return tag.RowsAffected() == 1, err
}

// heldPart is what a pharmacy reads of a part that it claimed, and no more: not what the checks said, no signatures.
type heldPart struct {
	ID             ids.Part
	Place          ids.Institution
	PrescriptionID ids.Prescription
	PersonID       ids.Person
	No             string
	Part           int
	State          string
	NotBefore      string
	NotAfter       time.Time
	LeaseUntil     time.Time
	PausedAt       *time.Time
	Patient        string
	Sex            string
	BirthDate      time.Time
	Diagnosis      []string
	Doctor         string
	Hospital       string
	EvidenceCode   string
	Items          json.RawMessage
	Lines          json.RawMessage
}

// heldColumns reads parts pt that the rest of the statement names.
const heldColumns = `
	SELECT pt.id, pt.claimed_by AS place, pt.prescription_id, rx.person_id, rx.no, pt.part, pt.state, pt.not_before::text AS not_before, pt.not_after,
	       pt.lease_until, pt.paused_at, p.name AS patient, p.sex, p.birth_date, rx.diagnosis, d.name AS doctor, i.name AS hospital, rx.evidence_code, rx.items,
	       (SELECT jsonb_agg(jsonb_build_object('line', l.line, 'days', l.days, 'remain', l.remain) ORDER BY l.line)
	          FROM prescription_part_line l WHERE l.part_id = pt.id) AS lines
	FROM `
const heldJoins = `
	JOIN prescription rx ON rx.id = pt.prescription_id
	JOIN person p ON p.id = rx.person_id JOIN practitioner d ON d.id = rx.practitioner_id JOIN institution i ON i.id = rx.institution_id`

func selectHeldPart(ctx context.Context, tx tx, part ids.Part, place ids.Institution) (heldPart, error) {
	list, err := collect[heldPart](ctx, tx, heldColumns+`prescription_part pt`+heldJoins+` WHERE pt.id = $1 AND pt.claimed_by = $2`, part, place)
	if err != nil || len(list) == 0 {
		return heldPart{}, orMissing(err)
	}
	return list[0], nil
}

func orMissing(err error) error {
	if err != nil {
		return err
	}
	return fault.Missing()
}

// attempt of somebody at one of these pharmacies to claim a part.
type attempt struct {
	Hash    []byte
	Places  []ids.Institution
	Channel string
	By      ids.Account
	At      time.Time
	Until   time.Time
}

// claimPart is the one statement that gives a part away, notes it and reads it, all in one trip; zero when it was not won,
// whatever the reason: the pharmacy may not claim, the code is unknown, the part is taken, too early or over.
func claimPart(ctx context.Context, tx tx, a attempt) (heldPart, error) {
	list, err := collect[heldPart](ctx, tx, `
		WITH counter AS (SELECT c.place FROM (`+counterOf+`) c WHERE c.checked AND c.wrong < $8), won AS (
			UPDATE prescription_part p SET state = 'claimed', claimed_by = c.place, channel = $2, claimed_at = $6, lease_until = $7
			FROM prescription rx, counter c
			WHERE p.token_hash = $5 AND (p.state = 'ready' OR p.state = 'claimed' AND p.lease_until < $6)
			  AND p.not_before <= $3::date AND $6 <= p.not_after AND p.paused_at IS NULL
			  AND rx.id = p.prescription_id AND rx.state = 'approved'
			RETURNING p.*), noted AS (
			INSERT INTO dispense_event (id, part_id, institution_id, account_id, deed, at) SELECT gen_random_uuid(), id, claimed_by, $9, 'claim', $6 FROM won)`+
		heldColumns+`won pt`+heldJoins,
		texts(a.Places), a.Channel, dayOf(a.At), a.At.Add(-time.Hour), a.Hash, a.At, a.Until, wrongCodes, a.By)
	if err != nil || len(list) == 0 {
		return heldPart{}, err
	}
	return list[0], nil
}

// held is a part at a pharmacy.
type held struct {
	ID         ids.Part
	State      string
	ClaimedBy  ids.Institution
	Pharmacy   string
	ClaimedAt  *time.Time
	LeaseUntil *time.Time
}

func selectByToken(ctx context.Context, tx tx, hash []byte) (held, error) {
	list, err := collect[held](ctx, tx, `
		SELECT p.id, p.state, p.claimed_by, coalesce(i.name, '') AS pharmacy, p.claimed_at, p.lease_until
		FROM prescription_part p LEFT JOIN institution i ON i.id = p.claimed_by WHERE p.token_hash = $1`, hash)
	if err != nil || len(list) == 0 {
		return held{}, err
	}
	return list[0], nil
}

func selectHeld(ctx context.Context, tx tx, places []ids.Institution, at time.Time) ([]held, error) {
	return collect[held](ctx, tx, `
		SELECT p.id, p.state, p.claimed_by, i.name AS pharmacy, p.claimed_at, p.lease_until
		FROM prescription_part p JOIN institution i ON i.id = p.claimed_by
		WHERE p.claimed_by = ANY ($1::uuid[]) AND p.state = 'claimed' AND p.lease_until >= $2 ORDER BY p.claimed_at LIMIT 100`, texts(places), at)
}

func texts(places []ids.Institution) []string {
	all := make([]string, len(places))
	for i, p := range places {
		all[i] = p.String()
	}
	return all
}

// counterOf is the approved pharmacy among places $1 with channel $2 on day $3, whether its papers were read in time, and
// how many codes it got wrong since $4.
const counterOf = `
		SELECT ph.institution_id AS place, ` + claimsUntil + ` >= $3::date AS checked, (SELECT count(*) FROM dispense_event e WHERE e.institution_id = ph.institution_id AND e.deed = 'wrong_code' AND e.at > $4) AS wrong
		FROM pharmacy ph
		WHERE ph.institution_id = ANY ($1::uuid[]) AND ph.state = 'approved' AND ph.licence_until >= $3::date AND $2 = ANY (ph.channels)
		ORDER BY checked DESC, ph.institution_id LIMIT 1`

// counter is where a subject stands to claim.
type counter struct {
	Place   ids.Institution
	Checked bool // its papers were read within six months and the grace
	Wrong   int  // codes within the hour
}

// selectCounter is zero where no pharmacy among places may dispense.
func selectCounter(ctx context.Context, tx tx, places []ids.Institution, channel string, at time.Time) (counter, error) {
	list, err := collect[counter](ctx, tx, counterOf, texts(places), channel, dayOf(at), at.Add(-time.Hour))
	if err != nil || len(list) == 0 {
		return counter{}, err
	}
	return list[0], nil
}

// prescriptionOfPart is what a claimed part belongs to, told to the pharmacy that claimed it; else fault.NotFound.
func prescriptionOfPart(ctx context.Context, tx tx, part ids.Part, place ids.Institution) (rx ids.Prescription, err error) {
	err = tx.QueryRow(ctx, `SELECT prescription_id FROM prescription_part WHERE id = $1 AND claimed_by = $2`, part, place).Scan(&rx)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing()
	}
	return rx, err
}

// holding locks a part that one of these places holds in an unlapsed claim, as an approved pharmacy of today.
func holding(ctx context.Context, tx tx, part ids.Part, places []ids.Institution, at time.Time) (place ids.Institution, err error) {
	err = tx.QueryRow(ctx, `
		SELECT p.claimed_by FROM prescription_part p JOIN pharmacy ph ON ph.institution_id = p.claimed_by
		WHERE p.id = $1 AND p.state = 'claimed' AND p.lease_until >= $3 AND p.claimed_by = ANY ($2::uuid[])
		  AND ph.state = 'approved' AND ph.licence_until >= $4::date FOR UPDATE OF p`, part, texts(places), at, dayOf(at)).Scan(&place)
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.New(fault.NotFound, "claim_lapsed", "本店没有持有这张处方，或占用已过时。", "This pharmacy does not hold the prescription, or its hold has lapsed.").
			WithRemedy("请重新扫取药码。", "Scan the code again.")
	}
	return place, err
}

// handedLine is a line of a part.
type handedLine struct {
	Part ids.Part
	Line int
}

// selectHanded are the days of supply that pharmacies handed out of each line.
func selectHanded(ctx context.Context, db pg.DB, rx ids.Prescription) (map[handedLine]int, error) {
	rows, err := db.Query(ctx, `
		SELECT e.part_id, l.line, sum(l.days) FROM dispense_event e, jsonb_to_recordset(e.lines) AS l (line int, days int)
		WHERE e.part_id IN (SELECT id FROM prescription_part WHERE prescription_id = $1) AND e.deed = 'dispense' GROUP BY 1, 2`, rx)
	if err != nil {
		return nil, err
	}
	handed := map[handedLine]int{}
	var of handedLine
	var days int
	_, err = pgx.ForEachRow(rows, []any{&of.Part, &of.Line, &days}, func() error {
		handed[of] = days
		return nil
	})
	return handed, err
}

func insertEvent(ctx context.Context, tx tx, part ids.Part, place ids.Institution, by ids.Account, e event) error {
	if e.ID == uuid.Nil {
		e.ID = uuid.New()
	}
	if e.Lines == nil {
		e.Lines = []HandOut{}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO dispense_event (id, part_id, institution_id, account_id, deed, lines, counselled, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		e.ID, part, place, by, e.Deed, e.Lines, e.Counselled, e.At)
	return err
}

// handOut takes days off a line and writes down the packs. More than remains is refused by the table's CHECK.
func handOut(ctx context.Context, tx tx, part ids.Part, event uuid.UUID, h HandOut) error {
	tag, err := tx.Exec(ctx, `UPDATE prescription_part_line SET remain = remain - $3 WHERE part_id = $1 AND line = $2`, part, h.Line, h.Days)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.Invalid, "no_such_line", "处方里没有这一行。", "The prescription has no such line.").WithRemedy("请按处方发药。", "Follow the prescription.")
	}
	for _, code := range h.Trace {
		if _, err := tx.Exec(ctx, `INSERT INTO trace_code (code, event_id, line, lot) VALUES ($1, $2, $3, $4)`, code, event, h.Line, h.Lot); err != nil {
			return err
		}
	}
	return nil
}

// finishPart: nothing left is dispensed; a remainder goes back to the patient, and the used code is dead.
func finishPart(ctx context.Context, tx tx, part ids.Part) error {
	_, err := tx.Exec(ctx, `
		UPDATE prescription_part p SET
			state = CASE WHEN rest.days = 0 THEN 'dispensed' ELSE 'ready' END,
			token_hash = CASE WHEN rest.days = 0 THEN token_hash END,
			lease_until = CASE WHEN rest.days = 0 THEN lease_until ELSE claimed_at END
		FROM (SELECT sum(remain) AS days FROM prescription_part_line WHERE part_id = $1) rest WHERE p.id = $1`, part)
	return err
}

func releasePart(ctx context.Context, tx tx, part ids.Part) error {
	_, err := tx.Exec(ctx, `UPDATE prescription_part SET state = 'ready', claimed_by = NULL, channel = NULL, claimed_at = NULL, lease_until = NULL WHERE id = $1`, part)
	return err
}

// voidParts ends the parts of a prescription of which nothing is at a pharmacy and nothing was handed out.
func voidParts(ctx context.Context, tx tx, rx ids.Prescription, at time.Time) (untouched bool, err error) {
	if _, err := tx.Exec(ctx, `SELECT FROM prescription_part WHERE prescription_id = $1 FOR UPDATE`, rx); err != nil { // a claim waits, and then finds it void
		return false, err
	}
	err = tx.QueryRow(ctx, `
		SELECT NOT EXISTS (SELECT FROM prescription_part p WHERE p.prescription_id = $1
			AND (p.state = 'dispensed' OR p.state = 'claimed' AND p.lease_until >= $2
			     OR EXISTS (SELECT FROM prescription_part_line l WHERE l.part_id = p.id AND l.remain < l.days)))`, rx, at).Scan(&untouched)
	if err != nil || !untouched {
		return false, err
	}
	_, err = tx.Exec(ctx, `UPDATE prescription_part SET state = 'void', token_hash = NULL WHERE prescription_id = $1`, rx)
	return true, err
}

func insertRecall(ctx context.Context, tx tx, r Recalled, by ids.Account, at time.Time) (packs int, err error) {
	if _, err := tx.Exec(ctx, `INSERT INTO recall (id, lot, reason, account_id, at) VALUES ($1, $2, $3, $4, $5)`, uuid.New(), r.Lot, r.Reason, by, at); err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM trace_code WHERE lot = $1`, r.Lot).Scan(&packs)
	return packs, err
}

// concerned are the changes of prescriptions that have this part, or of which packs of this lot were handed out.
func concerned(ctx context.Context, db pg.DB, part ids.Part, lot string) ([]live.Event, error) {
	rows, err := db.Query(ctx, `
		SELECT p.id::text, p.practitioner_id, p.institution_id, ARRAY(SELECT account_id FROM proxy x WHERE x.person_id = p.person_id)
		FROM prescription p WHERE p.id IN (
			SELECT prescription_id FROM prescription_part WHERE id = $1
			UNION SELECT t.prescription_id FROM trace_code c JOIN dispense_event e ON e.id = c.event_id
				JOIN prescription_part t ON t.id = e.part_id WHERE c.lot = $2)`, part, lot)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (live.Event, error) {
		e := live.Event{Kind: "prescription.changed", Practitioners: make([]ids.Practitioner, 1), Places: make([]ids.Institution, 1)}
		err := row.Scan(&e.ID, &e.Practitioners[0], &e.Places[0], &e.Accounts)
		return e, err
	})
}

func insertSecond(ctx context.Context, tx tx, p Prescription, alert string, at time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO prescription_second (prescription_id, prescriber_id, sha256, alert, asked_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		p.ID, p.Doctor.ID, p.SHA256, alert, at)
	return err
}

func answerSecond(ctx context.Context, tx tx, p Prescription, second ids.Practitioner, act Seconding, document []byte, sig keys.Signature) (bool, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE prescription_second SET second_id = $3, agrees = $4, reason = $5, canonical = $6, signature = $7, key_id = $8, answered_at = $9
		WHERE prescription_id = $1 AND sha256 = $2 AND answered_at IS NULL`, p.ID, act.SHA256, second, act.Agrees, act.Reason, document, sig.Sig, sig.KeyID, sig.At)
	return tag.RowsAffected() > 0, err
}

// mark is another signature on a prescription: the pharmacist's, a second person's on one hard stop. Stored holds the
// columns that the signed bytes repeat.
type mark struct {
	What         string
	KeyID        string
	Alg          string
	By           ids.Practitioner
	PrescriberID ids.Practitioner
	Canonical    []byte
	Signature    []byte
	At           time.Time
	Stored       []byte
	Alert        string
	AskedAt      time.Time // of a second person's
	Current      bool      // on the text that stands; a second person may have spoken about an earlier draft
}

func (m mark) signed() proof.Signed {
	return proof.Signed{What: m.What, Text: string(m.Canonical), Alg: m.Alg, Key: m.KeyID, At: m.At.UTC(), Signature: m.Signature}
}

func selectMarks(ctx context.Context, db pg.DB, rx ids.Prescription) ([]mark, error) {
	rows, err := db.Query(ctx, `
		WITH signed AS (
			SELECT 'second' AS what, key_id, second_id AS by, prescriber_id, canonical, signature, answered_at AS at, alert, asked_at, sha256,
			       jsonb_build_object('agrees', agrees, 'reason', reason, 'sha256', sha256) AS stored
			FROM prescription_second WHERE prescription_id = $1 AND answered_at IS NOT NULL
			UNION ALL
			SELECT 'review', key_id, pharmacist_id, prescriber_id, canonical, signature, at, '', at, NULL,
			       jsonb_build_object('legality', legality, 'form', form, 'suitability', suitability, 'result', result, 'reason_code', reason_code, 'note', note)
			FROM prescription_review WHERE prescription_id = $1)
		SELECT s.what, s.key_id::text AS key_id, coalesce(k.alg, '') AS alg, s.by, s.prescriber_id, s.canonical, s.signature, s.at, s.stored, s.alert, s.asked_at,
		       s.sha256 IS NULL OR s.sha256 = (SELECT rx.sha256 FROM prescription rx WHERE rx.id = $1) AS current
		FROM signed s LEFT JOIN signing_key k ON k.id = s.key_id ORDER BY s.what DESC, s.alert`, rx)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[mark])
}
