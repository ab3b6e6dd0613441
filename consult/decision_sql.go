package consult

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/rule"
)

// tx is a transaction of a deed.
type tx = pgx.Tx

func (s *Service) inTx(ctx context.Context, deed func(tx tx) error) error {
	return s.DB.InTx(ctx, deed)
}

// ask is collect in a batch: list holds the answer once the batch was sent.
func ask[T any](b *pgx.Batch, list *[]T, scan pgx.RowToFunc[T], sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*list, err = pgx.AppendRows([]T{}, rows, scan)
		return err
	})
}

// send does what was queued in one round trip; the first error ends it.
func send(ctx context.Context, tx tx, b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, b).Close()
}

// mayActFor is Missing unless the account within the scope acts for the person.
func (s *Service) mayActFor(ctx context.Context, tx tx, person ids.Person) error {
	var may bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM proxy WHERE account_id = @scope_account AND person_id = @person)`,
		authz.ScopeFrom(ctx).With(pgx.NamedArgs{"person": person})).Scan(&may)
	if err == nil && !may {
		err = fault.Missing()
	}
	return err
}

func putConsents(b *pgx.Batch, a Ask, account ids.Account, now time.Time) {
	var given []string
	var fresh []ids.Consent
	for kind, agreed := range map[string]bool{"internet_care": a.InternetCare, "sensitive_pi": a.SensitivePI} {
		if agreed {
			given, fresh = append(given, kind), append(fresh, ids.New[ids.Consent]())
		}
	}
	if len(given) == 0 {
		return
	}
	b.Queue(`
		INSERT INTO consent (id, person_id, account_id, kind, text_version, signed_at)
		SELECT id, $1, $2, k, $4, $5 FROM unnest($3::text[], $6::uuid[]) AS f (k, id) WHERE NOT EXISTS (
			SELECT FROM consent c WHERE c.person_id = $1 AND c.kind = k AND c.text_version = $4 AND c.withdrawn_at IS NULL)`,
		a.Person, account, given, consentVersion, now, texts(fresh))
}

func askConsents(b *pgx.Batch, kinds *[]string, person ids.Person, now time.Time) {
	ask(b, kinds, pgx.RowTo[string], `
		SELECT DISTINCT kind FROM consent
		WHERE person_id = $1 AND text_version = $2 AND signed_at <= $3 AND (withdrawn_at IS NULL OR withdrawn_at > $3)`, person, consentVersion, now)
}

func askPatient(b *pgx.Batch, p *eligibility.Patient, guardian *bool, person ids.Person, account ids.Account) {
	b.Queue(`
		SELECT p.birth_date, p.id_type, p.realname_level, p.region, p.special_groups, p.schemes,
		       EXISTS (SELECT FROM proxy x WHERE x.person_id = p.id AND x.account_id = $2 AND x.guardian_verified)
		FROM person p WHERE p.id = $1`, person, account).QueryRow(func(row pgx.Row) error {
		var born time.Time
		err := row.Scan(&born, &p.IDType, &p.RealnameLevel, &p.Region, &p.SpecialGroups, &p.Schemes, guardian)
		p.BirthDate = eligibility.DayOf(born)
		p.IDChecksumOK = p.IDType == "01" // a number that fails its check digit is not registered
		return err
	})
}

// askStanding reads the slot's doctor and place as they stand now, nothing for an unknown slot. What the national register and the
// supervision platform say are columns that their links keep up to date.
func askStanding(b *pgx.Batch, d *eligibility.Physician, i *eligibility.Institution, overlap *bool, slot ids.Slot, now time.Time) {
	b.Queue(`
		SELECT d.national_register_found, d.level, d.suspended, d.assessment,
		       years(d.independent_since, $2::date), coalesce(years(d.online_since, $2::date), 0),
		       d.title_rank, s.department = ANY (d.scope), r.institution_consent,
		       CASE WHEN r.during @> ((upper(s.during) - interval '1 microsecond') AT TIME ZONE i.zone)::date THEN r.kind ELSE 'none' END,
		       ARRAY (SELECT DISTINCT o.province FROM registration o WHERE o.practitioner_id = d.id AND o.during @> $2::date ORDER BY 1),
		       d.paediatric_qualified,
		       i.id::text, left(i.region, 2), i.region, i.licence_until >= $2::date, i.internet_service_registered,
		       ARRAY (SELECT name FROM institution_department WHERE institution_id = i.id ORDER BY name),
		       coalesce(i.mlps3_until >= $2::date, false), i.platform_connected, i.upload_backlog_hours,
		       EXISTS (SELECT FROM slot o WHERE o.practitioner_id = d.id AND o.id <> s.id AND o.withdrawn_at IS NULL
		               AND CASE WHEN o.institution_id = s.institution_id THEN o.during && s.during
		                        ELSE with_way(o.during, o.leg_s) && with_way(s.during, s.leg_s) END)
		FROM slot s
		JOIN practitioner d ON d.id = s.practitioner_id
		JOIN registration r ON r.id = s.registration_id
		JOIN institution i ON i.id = s.institution_id
		WHERE s.id = $1`, slot, now).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&d.NationalRegisterFound, &d.Level, &d.Suspended, &d.Assessment, &d.IndependentYears, &d.OnlineFollowUpYears,
			&d.TitleRank, &d.ScopeOK, &d.InstitutionConsent, &d.RegistrationHere, &d.RegisteredProvinces, &d.PaediatricQualified,
			&i.ID, &i.Province, &i.Region, &i.LicenceValid, &i.InternetServiceRegistered, &i.LicensedDepartments, &i.MLPS3Valid, &i.PlatformConnected,
			&i.UploadBacklogHours, overlap)
		if errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return err
	})
}

func askCatalogue(b *pgx.Batch, list *[]eligibility.Catalogue, slot ids.Slot) {
	ask(b, list, func(row pgx.CollectableRow) (c eligibility.Catalogue, err error) {
		err = row.Scan(&c.Category, &c.Class, &c.WindowDays)
		return c, err
	}, `SELECT icd10_cat, class, window_days FROM online_catalogue WHERE institution_id = (SELECT institution_id FROM slot WHERE id = $1) ORDER BY icd10_cat`, slot)
}

// askScenarios: a scenario's region covers all that begin with it, trailing zeros aside (GB/T 2260).
func askScenarios(b *pgx.Batch, codes *[]string, slot ids.Slot, now time.Time) {
	ask(b, codes, pgx.RowTo[string], `
		SELECT c.code FROM scenario c JOIN institution i ON i.region LIKE regexp_replace(c.region, '(00)+$', '') || '%'
		WHERE i.id = (SELECT institution_id FROM slot WHERE id = $1) AND c.during @> $2::timestamptz ORDER BY c.code`, slot, now)
}

type site struct{ Name, Phone, Address string }

// selectSites are up to three hospitals, with the department first, then the nearest by region.
func selectSites(ctx context.Context, tx tx, region, department string) ([]site, error) {
	rows, err := tx.Query(ctx, `
		SELECT i.name, i.phone, i.address FROM institution i
		WHERE i.kind <> 'pharmacy'
		ORDER BY EXISTS (SELECT FROM institution_department d WHERE d.institution_id = i.id AND d.name = $2) DESC,
		         left(i.region, 6) = left($1, 6) DESC, left(i.region, 4) = left($1, 4) DESC, left(i.region, 2) = left($1, 2) DESC, i.name
		LIMIT 3`, region, department)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[site])
}

// signedRuling is the exact text of a decision with the house's signature.
type signedRuling struct {
	text      []byte
	signature []byte
	keyID     string
}

func insertDecision(b *pgx.Batch, d Decision, signed signedRuling, person ids.Person, visit ids.Visit, place ids.Institution) error {
	reasons, err := json.Marshal(d.Reasons)
	if err != nil {
		return err
	}
	ways, err := json.Marshal(d.Ways)
	if err != nil {
		return err
	}
	var prospect []byte
	if d.Prospect != nil {
		if prospect, err = json.Marshal(d.Prospect); err != nil {
			return err
		}
	}
	policies := []string{}
	for _, p := range d.answer.Policies {
		policies = append(policies, p.Ref)
	}
	b.Queue(`
		INSERT INTO decision (id, person_id, visit_id, institution_id, practitioner_id, stage, verdict, reasons, ways, prospect, facts, facts_sha256,
		                      rule_set, rules_sha256, policies, ruling, signature, key_id, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		d.ID, person, visit, place, d.doctor, d.Stage, d.Verdict.String(), reasons, ways, prospect, d.Facts, d.FactsSHA256,
		d.RuleSet, d.answer.RulesSHA256, policies, signed.text, signed.signature, signed.keyID, d.At)
	return nil
}

func putRuleSet(ctx context.Context, tx tx, rules *eligibility.RuleSet, now time.Time) error {
	packs, err := json.Marshal(rules.Packs())
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO rule_set (sha256, version, packs, kept_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		rules.Hash(), rules.Version(), packs, now)
	return err
}

func putDecisionKey(ctx context.Context, tx tx, public ed25519.PublicKey, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO decision_key (id, public, kept_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		eligibility.KeyID(public), []byte(public), now)
	return err
}

// DecisionKey is a public key that decisions are or were signed with.
type DecisionKey struct {
	KeyID  string    `json:"key_id"`
	Alg    string    `json:"alg" doc:"Ed25519 (RFC 8032)"`
	Public []byte    `json:"public_key"`
	Since  time.Time `json:"since"`
}

func selectDecisionKeys(ctx context.Context, tx tx) ([]DecisionKey, error) {
	return collect(ctx, tx, pgx.RowToStructByName[DecisionKey], `
		SELECT id AS key_id, 'Ed25519' AS alg, public, kept_at AS since FROM decision_key ORDER BY kept_at, id`)
}

// decisionRow is a decision as a visit's row carries it.
type decisionRow struct {
	DecisionID  ids.Decision
	Stage       string
	Verdict     string
	Reasons     []byte
	Ways        []byte
	Prospect    []byte
	RuleSet     string
	FactsSHA256 string `db:"facts_sha256"`
	DecidedAt   time.Time
}

func (r decisionRow) decision() (d Decision, err error) {
	d = Decision{ID: r.DecisionID, Stage: r.Stage, RuleSet: r.RuleSet, FactsSHA256: r.FactsSHA256, At: r.DecidedAt, Reasons: []rule.Reason{}}
	err = errors.Join(d.Verdict.UnmarshalText([]byte(r.Verdict)), json.Unmarshal(r.Reasons, &d.Reasons), json.Unmarshal(r.Ways, &d.Ways))
	if r.Prospect != nil {
		err = errors.Join(err, json.Unmarshal(r.Prospect, &d.Prospect))
	}
	return d, err
}

const decisionColumns = `n.id AS decision_id, n.stage, n.verdict, n.reasons, n.ways, n.prospect, n.rule_set, n.facts_sha256, n.at AS decided_at`

type storedDecision struct {
	decisionRow
	PersonID    ids.Person
	VisitID     ids.Visit
	Institution string
	Doctor      string
	Facts       []byte
	RulesSHA256 string `db:"rules_sha256"`
	Packs       []byte
	Ruling      []byte
	Signature   []byte
	KeyID       string
	PublicKey   []byte
}

// decisionInScope: own persons', the doctor's patients', those of the place.
const decisionInScope = `(@scope_all OR n.institution_id = ANY (@scope_places)
	OR EXISTS (SELECT FROM visit v WHERE v.id = n.visit_id AND v.practitioner_id = @scope_practitioner)
	OR EXISTS (SELECT FROM proxy x WHERE x.account_id = @scope_account AND x.person_id = n.person_id))`

func selectDecision(ctx context.Context, tx tx, scope authz.Scope, id ids.Decision) (storedDecision, error) {
	rows, err := tx.Query(ctx, `
		SELECT `+decisionColumns+`, n.person_id, n.visit_id, coalesce(i.name, '') AS institution, coalesce(d.name, '') AS doctor, n.facts,
		       coalesce(n.rules_sha256, '') AS rules_sha256, r.packs, n.ruling, n.signature, coalesce(n.key_id, '') AS key_id, k.public AS public_key
		FROM decision n
		LEFT JOIN institution i ON i.id = n.institution_id
		LEFT JOIN practitioner d ON d.id = n.practitioner_id
		LEFT JOIN rule_set r ON r.sha256 = n.rules_sha256
		LEFT JOIN decision_key k ON k.id = n.key_id
		WHERE n.id = @id AND `+decisionInScope,
		scope.With(pgx.NamedArgs{"id": id}))
	if err != nil {
		return storedDecision{}, err
	}
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[storedDecision])
	if errors.Is(err, pgx.ErrNoRows) {
		err = fault.Missing()
	}
	return d, err
}

func listDecisions(ctx context.Context, tx tx, scope authz.Scope, f DecisionFilter) ([]ListedDecision, error) {
	var before *time.Time
	if !f.Before.IsZero() {
		before = &f.Before
	}
	return collect(ctx, tx, pgx.RowToStructByName[ListedDecision], `
		SELECT n.id, n.at, n.stage, n.verdict, coalesce(i.name, '') AS institution,
		       ARRAY (SELECT e ->> 'rule' FROM jsonb_array_elements(n.reasons) e) AS rules,
		       coalesce(n.facts #>> '{visit,department}', '') AS department, coalesce(n.facts #>> '{visit,complaint,icd10}', '') AS icd10
		FROM decision n LEFT JOIN institution i ON i.id = n.institution_id
		WHERE `+decisionInScope+` AND (@verdict = '' OR n.verdict = @verdict) AND (@before::timestamptz IS NULL OR n.at < @before)
		  AND (@rule = '' OR EXISTS (SELECT FROM jsonb_array_elements(n.reasons) e WHERE e ->> 'rule' LIKE @rule || '%'))
		ORDER BY n.at DESC, n.id LIMIT 100`,
		scope.With(pgx.NamedArgs{"verdict": f.Verdict, "rule": f.Rule, "before": before}))
}
