package consult

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
)

type knownPolicy struct {
	ID     ids.Policy
	State  string
	SHA256 string `db:"sha256"`
}

// askPolicies: of drafts and rejected ones the check knows nothing.
func askPolicies(b *pgx.Batch, list *[]knownPolicy) {
	ask(b, list, pgx.RowToStructByName[knownPolicy], `
		SELECT id, state, sha256 FROM policy WHERE state IN ('active', 'suspended', 'revoked') ORDER BY id`)
}

func selectKnownPolicies(ctx context.Context, tx tx) (list []knownPolicy, err error) {
	b := &pgx.Batch{}
	askPolicies(b, &list)
	return list, send(ctx, tx, b)
}

func selectPolicyDocument(ctx context.Context, tx tx, id ids.Policy) (document []byte, err error) {
	err = tx.QueryRow(ctx, `SELECT document FROM policy WHERE id = $1`, id).Scan(&document)
	return document, err
}

// selectPolicyDocuments finds the words of versions by their hash.
func selectPolicyDocuments(ctx context.Context, tx tx, hashes []string) ([]json.RawMessage, error) {
	return collect(ctx, tx, func(row pgx.CollectableRow) (document json.RawMessage, err error) {
		var b []byte
		err = row.Scan(&b)
		return b, err
	}, `SELECT document FROM policy WHERE sha256 = ANY ($1) ORDER BY id`, hashes)
}

// holdPolicy keeps an active version from being suspended until tx ends. held is false if it no longer is active.
func holdPolicy(ctx context.Context, tx tx, ref string) (held bool, err error) {
	var state string
	err = tx.QueryRow(ctx, `SELECT state FROM policy WHERE policy_id || '@' || version = $1 FOR SHARE`, ref).Scan(&state)
	return state == string(PolicyActive), err
}

// lockPolicy lets one deed at a time at a version.
func lockPolicy(ctx context.Context, tx tx, id ids.Policy) error {
	_, err := tx.Exec(ctx, `SELECT FROM policy WHERE id = $1 FOR UPDATE`, id)
	return err
}

type policyRow struct {
	ID            ids.Policy
	State         string
	Document      []byte
	SHA256        string `db:"sha256"`
	InstitutionID ids.Institution
	Institution   string
	AccountID     ids.Account
	DraftedBy     string
	DraftedAt     time.Time
}

// selectPolicies: those of the places in the scope, and those of the whole house.
func selectPolicies(ctx context.Context, tx tx, scope authz.Scope, id ids.Policy) ([]policyRow, error) {
	return collect(ctx, tx, pgx.RowToStructByName[policyRow], `
		SELECT p.id, p.state, p.document, p.sha256, p.institution_id, coalesce(i.name, '') AS institution, p.drafted_by AS account_id,
		       coalesce(a.name, '') AS drafted_by, p.drafted_at
		FROM policy p LEFT JOIN institution i ON i.id = p.institution_id LEFT JOIN account a ON a.id = p.drafted_by
		WHERE (@scope_all OR p.institution_id = ANY (@scope_places) OR p.institution_id IS NULL AND cardinality(@scope_places::uuid[]) > 0)
		  AND (@id::uuid IS NULL OR p.id = @id)
		ORDER BY p.drafted_at DESC, p.id DESC LIMIT 200`, scope.With(pgx.NamedArgs{"id": id}))
}

func selectApprovals(ctx context.Context, tx tx, id ids.Policy, me ids.Account) ([]PolicyApproval, error) {
	return collect(ctx, tx, pgx.RowToStructByName[PolicyApproval], `
		SELECT a.name, p.at, p.account_id = $2 AS mine FROM policy_approval p JOIN account a ON a.id = p.account_id WHERE p.policy = $1 ORDER BY p.at`, id, me)
}

func selectPolicyEvents(ctx context.Context, tx tx, id ids.Policy) ([]PolicyEvent, error) {
	return collect(ctx, tx, pgx.RowToStructByName[PolicyEvent], `
		SELECT e.deed, e.state, coalesce(a.name, '') AS name, e.reason, e.at
		FROM policy_event e LEFT JOIN account a ON a.id = e.account_id WHERE e.policy = $1 ORDER BY e.at, e.id`, id)
}

// selectSimulation is the newest of the version, nil if there is none.
func selectSimulation(ctx context.Context, tx tx, id ids.Policy) (*PolicySimulation, error) {
	var s PolicySimulation
	var result []byte
	err := tx.QueryRow(ctx, `
		SELECT s.at, a.name, s.days, s.rules_sha256, r.version, s.took_ms, s.result
		FROM policy_simulation s JOIN policy p ON p.id = s.policy AND p.sha256 = s.sha256
		JOIN account a ON a.id = s.account_id JOIN rule_set r ON r.sha256 = s.rules_sha256
		WHERE s.policy = $1 ORDER BY s.at DESC, s.id DESC LIMIT 1`, id).Scan(&s.At, &s.By, &s.Days, &s.rules, &s.RuleSet, &s.TookMS, &result)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(result, &s.Result); err != nil {
		return nil, err
	}
	s.Doctors, err = doctorNames(ctx, tx, s.Result)
	return &s, err
}

// doctorNames are those of the doctors in a simulation.
func doctorNames(ctx context.Context, tx tx, result eligibility.Simulated) (map[string]string, error) {
	doctors := []string{}
	for _, d := range result.Doctors {
		if d.Key != "" {
			doctors = append(doctors, d.Key)
		}
	}
	rows, err := tx.Query(ctx, `SELECT id::text, name FROM practitioner WHERE id = ANY ($1::uuid[])`, doctors)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	var key, name string
	_, err = pgx.ForEachRow(rows, []any{&key, &name}, func() error { names[key] = name; return nil })
	return names, err
}

func insertTrial(ctx context.Context, tx tx, t RuleTrial, pack, result []byte, place ids.Institution, by ids.Account) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO rule_simulation (id, pack, name, rules_sha256, version, institution_id, days, result, took_ms, account_id, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		ids.New[ids.Policy](), pack, t.Pack, t.SHA256, t.RuleSet, place, t.Days, result, t.TookMS, by, t.At)
	return err
}

// selectTrials: those of the places in the scope. The operator's, over all hospitals, are told without their examples and groups.
func selectTrials(ctx context.Context, tx tx, scope authz.Scope) ([]RuleTrial, error) {
	list, err := collect(ctx, tx, func(row pgx.CollectableRow) (t RuleTrial, err error) {
		var result []byte
		if err = row.Scan(&t.Pack, &t.SHA256, &t.RuleSet, &t.Days, &result, &t.TookMS, &t.By, &t.At); err != nil {
			return t, err
		}
		return t, json.Unmarshal(result, &t.Result)
	}, `
		SELECT t.name, t.rules_sha256, t.version, t.days,
		       CASE WHEN t.institution_id IS NULL AND NOT @scope_all
		            THEN t.result || '{"diseases": [], "counties": [], "doctors": [], "examples": []}' ELSE t.result END,
		       t.took_ms, coalesce(a.name, ''), t.at
		FROM rule_simulation t LEFT JOIN account a ON a.id = t.account_id
		WHERE @scope_all OR t.institution_id = ANY (@scope_places) OR t.institution_id IS NULL
		ORDER BY t.at DESC, t.id DESC LIMIT 20`, scope.With(pgx.NamedArgs{}))
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Doctors, err = doctorNames(ctx, tx, list[i].Result); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// knownPack: these very files were simulated or have been in force, or nothing has been decided yet.
func knownPack(ctx context.Context, tx tx, pack []byte) (known bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT NOT EXISTS (SELECT FROM decision) OR EXISTS (SELECT FROM rule_simulation WHERE pack = $1)
		       OR EXISTS (SELECT FROM rule_set r CROSS JOIN LATERAL jsonb_array_elements(r.packs) e WHERE e = $1)`, pack).Scan(&known)
	return known, err
}

// selectPolicyFile is zero if the house keeps no file of that hash.
func selectPolicyFile(ctx context.Context, tx tx, hash string) (PolicyFile, error) {
	list, err := collect(ctx, tx, pgx.RowToStructByName[PolicyFile], `
		SELECT sha256, file_name, content_type, size, kept_at, object_key FROM policy_file WHERE sha256 = $1`, hash)
	if err != nil || len(list) == 0 {
		return PolicyFile{}, err
	}
	return list[0], nil
}

// insertPolicyFile keeps the first of two that come at once.
func insertPolicyFile(ctx context.Context, tx tx, f PolicyFile, place ids.Institution, by ids.Account) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO policy_file (sha256, institution_id, object_key, file_name, content_type, size, account_id, kept_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		f.SHA256, place, f.ObjectKey, f.FileName, f.ContentType, f.Size, by, f.KeptAt)
	return err
}

const listedColumns = `d.id, d.name, d.title, d.title_rank, floor(years(d.independent_since, @today::date))::int AS years,
	coalesce(floor(years(d.online_since, @today::date)), 0)::int AS online_years,
	EXISTS (SELECT FROM registration r WHERE r.practitioner_id = d.id AND r.institution_id = ANY (@places::uuid[]) AND r.during @> @today::date) AS here`

// selectListed reads the doctors of a whitelist, in the order of their names. A policy file may name what is no id.
func selectListed(ctx context.Context, tx tx, doctors []string, places []ids.Institution, now time.Time) ([]ListedDoctor, error) {
	if len(doctors) == 0 {
		return []ListedDoctor{}, nil
	}
	return collect(ctx, tx, pgx.RowToStructByName[ListedDoctor], `
		SELECT `+listedColumns+` FROM practitioner d WHERE d.kind = 'physician' AND d.id::text = ANY (@doctors) ORDER BY d.name, d.id`,
		pgx.NamedArgs{"doctors": doctors, "places": texts(places), "today": now.In(china)})
}

func selectListable(ctx context.Context, tx tx, places []ids.Institution, name string, now time.Time) ([]ListedDoctor, error) {
	return collect(ctx, tx, pgx.RowToStructByName[ListedDoctor], `
		SELECT * FROM (SELECT `+listedColumns+` FROM practitioner d WHERE d.kind = 'physician' AND strpos(d.name, @name) > 0) l
		WHERE here ORDER BY name, id LIMIT 50`,
		pgx.NamedArgs{"name": name, "places": texts(places), "today": now.In(china)})
}

type lastPolicy struct {
	ID            ids.Policy
	Version       int
	State         string
	InstitutionID ids.Institution
}

// lastVersion is the newest of a policy, zero if there is none.
func lastVersion(ctx context.Context, tx tx, policy string) (lastPolicy, error) {
	rows, err := tx.Query(ctx, `SELECT id, version, state, institution_id FROM policy WHERE policy_id = $1 ORDER BY version DESC LIMIT 1 FOR UPDATE`, policy)
	if err != nil {
		return lastPolicy{}, err
	}
	last, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[lastPolicy])
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return last, err
}

// livesForHouse: a version of the operator's is in force, or suspended.
func livesForHouse(ctx context.Context, tx tx, policy string) (lives bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM policy WHERE policy_id = $1 AND institution_id IS NULL AND state IN ('active', 'suspended'))`, policy).Scan(&lives)
	return lives, err
}

// hashOfVersion is "" for a version that is not known.
func hashOfVersion(ctx context.Context, tx tx, policy string, version int) (hash string, err error) {
	err = tx.QueryRow(ctx, `SELECT sha256 FROM policy WHERE policy_id = $1 AND version = $2`, policy, version).Scan(&hash)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return hash, err
}

func activeVersions(ctx context.Context, tx tx, policy string) ([]ids.Policy, error) {
	return collect(ctx, tx, pgx.RowTo[ids.Policy], `SELECT id FROM policy WHERE policy_id = $1 AND state = 'active' FOR UPDATE`, policy)
}

func insertPolicy(ctx context.Context, tx tx, id ids.Policy, p eligibility.Policy, state State, place ids.Institution, by ids.Account, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO policy (id, policy_id, version, institution_id, document, sha256, during, state, drafted_by, drafted_at)
		VALUES ($1, $2, $3, $4, $5, $6, tstzrange($7, $8), $9, $10, $11)`,
		id, p.ID, p.Version, place, p.Document(), p.Hash(), p.From, p.To, string(state), by, now)
	return err
}

// movePolicy changes the state if it still is from; expired is active to the database.
func movePolicy(ctx context.Context, tx tx, id ids.Policy, from, to State) (bool, error) {
	tag, err := tx.Exec(ctx, `UPDATE policy SET state = $3 WHERE id = $1 AND state = $2`, id, string(from), string(to))
	return tag.RowsAffected() == 1, err
}

func insertPolicyEvent(ctx context.Context, tx tx, id ids.Policy, deed string, state State, by ids.Account, reason string, now time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO policy_event (id, policy, deed, state, account_id, reason, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		ids.New[ids.Policy](), id, deed, string(state), by, reason, now)
	return err
}

func insertSimulation(ctx context.Context, tx tx, p Policy, rules string, days int, result []byte, took time.Duration, by ids.Account, now time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO policy_simulation (id, policy, sha256, rules_sha256, days, result, took_ms, account_id, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		ids.New[ids.Policy](), p.ID, p.SHA256, rules, days, result, took.Milliseconds(), by, now)
	return err
}

// insertApproval reports how many there are with it.
func insertApproval(ctx context.Context, tx tx, p Policy, by ids.Account, now time.Time) (n int, err error) {
	if _, err := tx.Exec(ctx, `INSERT INTO policy_approval (policy, account_id, drafted_by, sha256, at) VALUES ($1, $2, $3, $4, $5)`,
		p.ID, by, p.by, p.SHA256, now); err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM policy_approval WHERE policy = $1 AND sha256 = $2`, p.ID, p.SHA256).Scan(&n)
	return n, err
}

// selectVisitsUnder: not begun, and their newest decision gives leave by the policy.
func selectVisitsUnder(ctx context.Context, tx tx, policy ids.Policy) ([]ids.Visit, error) {
	return collect(ctx, tx, pgx.RowTo[ids.Visit], `
		SELECT v.id FROM visit v
		CROSS JOIN LATERAL (SELECT reasons FROM decision WHERE visit_id = v.id ORDER BY at DESC, id DESC LIMIT 1) n
		JOIN policy p ON p.id = $1
		WHERE v.state IN ('booked', 'checked_in')
		  AND n.reasons @> jsonb_build_array(jsonb_build_object('rule', 'EXC-05:' || p.policy_id || '@' || p.version))
		ORDER BY v.id`, policy)
}

// page is how many decisions a simulation reads at a time: no statement runs long, and memory stays level.
const page = 1000

// eachDecision hands on what was decided at booking from since to until, in order; of one place unless place is zero.
func eachDecision(ctx context.Context, tx tx, place ids.Institution, since, until time.Time, each func(eligibility.Past)) error {
	var after ids.Decision
	for {
		rows, err := tx.Query(ctx, `
			SELECT n.id, n.at, n.facts, coalesce(n.practitioner_id::text, '') FROM decision n
			WHERE n.stage = 'booking' AND n.at <= $3 AND (n.at, n.id) > ($2, coalesce($4, '00000000-0000-0000-0000-000000000000'::uuid))
			  AND ($1::uuid IS NULL OR n.institution_id = $1)
			ORDER BY n.at, n.id LIMIT $5`, place, since, until, after, page)
		if err != nil {
			return err
		}
		n := 0
		past := eligibility.Past{}
		if _, err := pgx.ForEachRow(rows, []any{&after, &since, &past.Facts, &past.Doctor}, func() error {
			n++
			past.ID = after.String()
			each(past)
			return nil
		}); err != nil {
			return err
		}
		if n < page {
			return nil
		}
	}
}
