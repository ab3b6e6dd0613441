package demo

import (
	"context"
	"encoding/base32"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/identity"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/pg"
)

// Seeder puts the cast into a database and knows how each of them signs in.
type Seeder struct {
	DB    *pg.Pool
	Vault *keys.Vault
	Keys  *keys.Service
	Now   func() time.Time
}

// totpSecret is the same each time it is asked in one installation, and another in the next.
func (s *Seeder) totpSecret(login string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s.Vault.Lookup("demo-totp", login)[:20])
}

// Seed makes the cast if the database holds no institution yet.
func (s *Seeder) Seed(ctx context.Context) (seeded bool, err error) {
	err = s.DB.InTx(ctx, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM institution)`).Scan(&seeded); err != nil || !seeded {
			return err
		}
		places, err := s.places(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.staff(ctx, tx, places); err != nil {
			return err
		}
		if err := s.pharmacies(ctx, tx, places); err != nil {
			return err
		}
		return s.patients(ctx, tx, places)
	})
	return seeded, err
}

// Seals gives each Internet hospital that has none its electronic seal.
func (s *Seeder) Seals(ctx context.Context) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id FROM institution i WHERE kind = 'internet_hospital'
			   AND NOT EXISTS (SELECT FROM signing_key k WHERE k.institution_id = i.id AND k.revoked_at IS NULL AND k.valid_until > $1)`, s.Now())
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[ids.Institution])
		if err != nil {
			return err
		}
		for _, place := range list {
			if err := s.Keys.IssueSeal(ctx, tx, place); err != nil {
				return err
			}
		}
		return nil
	})
}

// Agreements puts one in force between the county hospital and each Internet hospital, unless there is any.
func (s *Seeder) Agreements(ctx context.Context) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO agreement (id, inviter_institution_id, invited_institution_id, kinds, terms, during, offered_by, offered_account_id, offered_at, accepted_account_id, accepted_at)
			SELECT gen_random_uuid(), a.id, b.id, '{consult,imaging,pathology,ecg}',
			       '远程医疗合作协议（演示）：目的、内容、流程、权利义务、医疗损害风险和责任分担见双方盖章的纸质文本。',
			       daterange($1::date, $1::date + 1095), b.id, x.id, $2, y.id, $2
			FROM institution a, institution b, LATERAL (SELECT account_id AS id FROM membership WHERE institution_id = b.id AND role = 'administrator' LIMIT 1) x,
			     LATERAL (SELECT id FROM account WHERE login IN ('yuan', 'hejing') ORDER BY login DESC LIMIT 1) y
			WHERE a.kind = 'county_hospital' AND b.kind = 'internet_hospital'
			  AND NOT EXISTS (SELECT FROM agreement)`, s.Now().Format(time.DateOnly), s.Now())
		return err
	})
}

func (s *Seeder) places(ctx context.Context, tx pgx.Tx) (map[string]ids.Institution, error) {
	found := map[string]ids.Institution{}
	for _, p := range Places {
		id := ids.New[ids.Institution]()
		found[p.Name] = id
		online := p.Kind == "internet_hospital"
		if _, err := tx.Exec(ctx, `
			INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until, internet_service_registered, mlps3_until, platform_connected)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, true)`,
			id, p.Code, p.Name, p.Kind, p.Region, p.Address, p.Phone, s.Now().AddDate(3, 0, 0), online); err != nil {
			return nil, err
		}
		for _, d := range p.Departments {
			if _, err := tx.Exec(ctx, `INSERT INTO institution_department (institution_id, name) VALUES ($1, $2)`, id, d); err != nil {
				return nil, err
			}
		}
		if !online {
			continue
		}
		for _, c := range Catalogue {
			if !slices.Contains(p.Departments, c.Department) {
				continue
			}
			if _, err := tx.Exec(ctx, `
				INSERT INTO online_catalogue (institution_id, icd10_cat, class, window_days, department, name_zh, name_en)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, c.Cat, c.Class, c.Window, c.Department, c.ZH, c.EN); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// pharmacies enters those of the cast into the registry, applied for by one administrator and approved by two others.
func (s *Seeder) pharmacies(ctx context.Context, tx pgx.Tx, places map[string]ids.Institution) error {
	for i, p := range Places {
		if p.Kind != "pharmacy" {
			continue
		}
		until := s.Now().AddDate(3, 0, 0)
		if _, err := tx.Exec(ctx, `
			INSERT INTO pharmacy (institution_id, licence_no, business_scope, pharmacist, channels, documents, licence_until, state,
			                      applied_by, applied_at, first_by, first_at, second_by, second_at, checked_on)
			SELECT $1, $2, '处方药、非处方药零售', $3, '{walk_in,online_retail}',
			       jsonb_build_array(jsonb_build_object('name', '药品经营许可证', 'number', $2::text, 'until', $4::date::text)), $4, 'approved',
			       (SELECT id FROM account WHERE login = 'qian'), $5, (SELECT id FROM account WHERE login = 'zhengyan'), $5, (SELECT id FROM account WHERE login = 'hejing'), $5, ($5 AT TIME ZONE 'Asia/Shanghai')::date`,
			places[p.Name], fmt.Sprintf("鄂DA027%04d", i), map[string]string{"康民大药房": "马兰", "百草堂药店": "秦越"}[p.Name], until, s.Now()); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

func (s *Seeder) staff(ctx context.Context, tx pgx.Tx, places map[string]ids.Institution) error {
	for _, p := range People {
		account := ids.New[ids.Account]()
		secret := s.Vault.Seal("house", "account.totp/"+account.String(), []byte(s.totpSecret(p.Login)))
		if _, err := tx.Exec(ctx, `
			INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', $2, $3, $4, $5)`,
			account, p.Name, p.Login, identity.HashPassword(Password), secret); err != nil {
			return err
		}
		for _, place := range append([]string{p.Home}, p.Also...) {
			if _, err := tx.Exec(ctx, `INSERT INTO membership (account_id, institution_id, role) VALUES ($1, $2, $3)`, account, places[place], p.Role); err != nil {
				return err
			}
		}
		if p.Scope == nil {
			continue
		}
		if err := s.practitioner(ctx, tx, places, account, p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

func (s *Seeder) practitioner(ctx context.Context, tx pgx.Tx, places map[string]ids.Institution, account ids.Account, p Staff) error {
	id, now := ids.New[ids.Practitioner](), s.Now()
	kind, level := "physician", "执业医师"
	if p.Role == "pharmacist" {
		kind, level = "pharmacist", "药师"
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment,
		                          independent_since, online_since, paediatric_qualified)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, true, 'passed', $9, $10, $11)`,
		id, account, kind, p.Name, p.Title, p.Rank, level, p.Scope, now.AddDate(-4*p.Rank, 0, 0), now.AddDate(-3, 0, 0), p.Paediatric); err != nil {
		return err
	}
	for i, place := range append([]string{p.Home}, p.Also...) {
		kind := "filed"
		if i == 0 {
			kind = "primary"
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO registration (id, practitioner_id, institution_id, kind, province, during, institution_consent)
			VALUES ($1, $2, $3, $4, '42', daterange($5, $6), true)`,
			ids.New[ids.Registration](), id, places[place], kind, now.AddDate(-2, 0, 0), now.AddDate(2, 0, 0)); err != nil {
			return err
		}
	}
	return s.Keys.Issue(ctx, tx, id, Passphrase)
}

func (s *Seeder) patients(ctx context.Context, tx pgx.Tx, places map[string]ids.Institution) error {
	accounts := map[string]ids.Account{}
	for _, p := range Patients {
		id, err := identity.ParseResidentID(p.IDNo, s.Now())
		if err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		person := ids.New[ids.Person]()
		if _, err := tx.Exec(ctx, `
			INSERT INTO person (id, name, sex, birth_date, id_lookup, id_sealed, id_masked, realname_level, region, weight_kg, pregnancy, institution_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 2, $8, nullif($9, '')::numeric, CASE WHEN $3 = 'F' THEN 'no' END, $10)`,
			person, p.Name, id.Sex, id.BirthDate, s.Vault.Lookup("resident_id", id.Number), s.Vault.Seal("house", "person.id_no", []byte(id.Number)),
			id.Masked(), p.Region, p.WeightKG, places[p.Keeper]); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
		relation, account := "self", ids.New[ids.Account]()
		if p.For != "" {
			relation, account = "child", accounts[p.For]
		} else if _, err := tx.Exec(ctx, `
			INSERT INTO account (id, kind, name, phone_lookup, phone_sealed) VALUES ($1, 'patient', $2, $3, $4)`,
			account, p.Name, s.Vault.Lookup("phone", p.Phone), s.Vault.Seal("house", "account.phone", []byte(p.Phone))); err != nil {
			return err
		}
		accounts[p.Key] = account
		if _, err := tx.Exec(ctx, `
			INSERT INTO proxy (account_id, person_id, relation, guardian_verified) VALUES ($1, $2, $3, $4)`,
			account, person, relation, relation == "child"); err != nil {
			return err
		}
		for _, line := range charts[p.Key] {
			if _, err := tx.Exec(ctx, line.sql, append([]any{person, s.Now()}, line.args...)...); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
		}
	}
	return nil
}

// entry is one line of a chart; $1 is the person, $2 now.
type entry struct {
	sql  string
	args []any
}

const (
	putAllergy     = `INSERT INTO allergy (person_id, substance, name_zh, name_en, severity, reaction) SELECT $1, $3, $4, $5, $6, $7 WHERE $2::timestamptz IS NOT NULL`
	putCondition   = `INSERT INTO condition (person_id, icd10, name, since) VALUES ($1, $3, $4, $2::date - $5::int)`
	putMedicine    = `INSERT INTO medicine (person_id, ingredient, name_zh, name_en, daily_dose, unit, until, source) VALUES ($1, $3, $4, $5, $6::text::numeric, $7, $2::date + $8::int, 'hospital')`
	putObservation = `INSERT INTO observation (person_id, kind, value, unit, low, high, at) VALUES ($1, $3, $4::text::numeric, $5, $6::text::numeric, $7::text::numeric, $2::timestamptz - make_interval(days => $8::int))`
)

func observations(kind, unit, low, high string, every int, values ...string) []entry {
	var list []entry
	for i, v := range values {
		list = append(list, entry{putObservation, []any{kind, v, unit, low, high, (len(values) - i) * every}})
	}
	return list
}

var charts = map[string][]entry{
	"wang": append(append(append([]entry{
		{putAllergy, []any{"ag_penicillin", "青霉素类", "penicillins", "mild", "皮疹"}},
		{putCondition, []any{"I10.x00", "高血压", 1400}},
		{putCondition, []any{"E78.500", "高脂血症", 900}},
		{putMedicine, []any{"amlodipine", "氨氯地平", "amlodipine", "5", "mg", 3}},
		{putMedicine, []any{"valsartan", "缬沙坦", "valsartan", "80", "mg", 3}},
		{putMedicine, []any{"atorvastatin", "阿托伐他汀", "atorvastatin", "20", "mg", 12}},
	},
		observations("systolic", "mm[Hg]", "90", "140", 14, "156", "151", "148", "146", "144", "142")...),
		observations("diastolic", "mm[Hg]", "60", "90", 14, "94", "93", "92", "90", "89", "88")...),
		observations("creatinine", "umol/L", "41", "81", 60, "84", "86", "88")...),
	"zhaomin": append([]entry{
		{putCondition, []any{"J45.900", "哮喘", 300}},
	}, observations("weight", "kg", "14", "24", 90, "17", "18")...),
	"zhou": append([]entry{
		{putCondition, []any{"R91.x00", "肺部阴影", 6}},
		{putCondition, []any{"J44.900", "慢性阻塞性肺疾病", 2000}},
	}, observations("systolic", "mm[Hg]", "90", "140", 30, "132", "128")...),
}
