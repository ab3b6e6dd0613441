package identity

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
)

// putCode keeps the newest code; false if one was sent within codeInterval.
func (s *Service) putCode(ctx context.Context, tx pgx.Tx, lookup, hash []byte, now time.Time) (bool, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO otp (phone_lookup, code_hash, tries_left, sent_at, expires_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (phone_lookup) DO UPDATE SET code_hash = $2, tries_left = $3, sent_at = $4, expires_at = $5
		WHERE otp.sent_at <= $6`, lookup, hash, codeTries, now, now.Add(codeLife), now.Add(-codeInterval))
	return tag.RowsAffected() == 1, err
}

// spendTry takes one try; a right code is used up.
func (s *Service) spendTry(ctx context.Context, tx pgx.Tx, lookup, hash []byte, now time.Time) (left int, ok bool, err error) {
	err = tx.QueryRow(ctx, `
		UPDATE otp SET tries_left = CASE WHEN code_hash = $2 THEN 0 ELSE tries_left - 1 END
		WHERE phone_lookup = $1 AND tries_left > 0 AND expires_at > $3
		RETURNING tries_left, code_hash = $2`, lookup, hash, now).Scan(&left, &ok)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return left, ok, err
}

func (s *Service) accountByPhone(ctx context.Context, tx pgx.Tx, lookup []byte, phone string) (ids.Account, error) {
	id := ids.New[ids.Account]()
	err := tx.QueryRow(ctx, `
		INSERT INTO account (id, kind, name, phone_lookup, phone_sealed) VALUES ($1, 'patient', '', $2, $3)
		ON CONFLICT (phone_lookup) DO UPDATE SET phone_lookup = account.phone_lookup
		RETURNING id`, id, lookup, s.Vault.Seal("house", "account.phone", []byte(phone))).Scan(&id)
	return id, err
}

// phoneOf is "" for an account without a phone.
func (s *Service) phoneOf(ctx context.Context, tx pgx.Tx, account ids.Account) (string, error) {
	var sealed []byte
	if err := tx.QueryRow(ctx, `SELECT phone_sealed FROM account WHERE id = $1`, account).Scan(&sealed); err != nil || sealed == nil {
		return "", err
	}
	phone, err := s.Vault.Open("house", "account.phone", sealed)
	return string(phone), err
}

type staffAccount struct {
	ID           ids.Account
	PasswordHash string
	TOTPSealed   []byte `db:"totp_sealed"`
	LockedUntil  *time.Time
}

func (s *Service) staff(ctx context.Context, login string) (staffAccount, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id, password_hash, totp_sealed, locked_until FROM account
		WHERE login = lower($1) AND kind = 'staff' AND disabled_at IS NULL`, login)
	if err != nil {
		return staffAccount{}, err
	}
	return pgx.CollectOneRow(rows, pgx.RowToStructByName[staffAccount])
}

func (s *Service) countFailure(ctx context.Context, account ids.Account, now time.Time) error {
	_, err := s.DB.Exec(ctx, `
		UPDATE account SET failed_attempts = failed_attempts + 1,
		       locked_until = CASE WHEN failed_attempts + 1 >= $2 THEN $3::timestamptz END
		WHERE id = $1`, account, lockAfter, now.Add(lockFor))
	return err
}

func (s *Service) clearFailures(ctx context.Context, tx pgx.Tx, account ids.Account) error {
	_, err := tx.Exec(ctx, `UPDATE account SET failed_attempts = 0, locked_until = NULL WHERE id = $1`, account)
	return err
}

func (s *Service) insertSession(ctx context.Context, tx pgx.Tx, id ids.Session, hash []byte, account ids.Account, second bool, until time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO session (id, token_hash, account_id, second_factor, expires_at) VALUES ($1, $2, $3, $4, $5)`,
		id, hash, account, second, until)
	return err
}

func (s *Service) revokeSession(ctx context.Context, tx pgx.Tx, id ids.Session, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`, id, now)
	return err
}

// subject reads session, account, practitioner and memberships as they stand now,
// so that a lost role or an ended session counts at the next request.
func (s *Service) subject(ctx context.Context, hash []byte, now time.Time) (*authz.Subject, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT s.id, s.account_id, s.second_factor, a.name, a.kind, p.id, m.role, m.institution_id
		FROM session s
		JOIN account a ON a.id = s.account_id AND a.disabled_at IS NULL
		LEFT JOIN practitioner p ON p.account_id = a.id
		LEFT JOIN membership m ON m.account_id = a.id
		WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2`, hash, now)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var sub *authz.Subject
	for rows.Next() {
		var row authz.Subject
		var kind string
		var role *string
		var place ids.Institution
		if err := rows.Scan(&row.Session, &row.Account, &row.SecondFactor, &row.Name, &kind, &row.Practitioner, &role, &place); err != nil {
			return nil, err
		}
		if sub == nil {
			sub = &row
			if kind == "patient" {
				sub.Memberships = append(sub.Memberships, authz.Membership{Role: authz.Patient})
			}
		}
		if role != nil {
			sub.Memberships = append(sub.Memberships, authz.Membership{Role: *role, Place: place})
		}
	}
	return sub, rows.Err()
}

// Person is somebody the account may act for.
type Person struct {
	ID               ids.Person `json:"id"`
	Name             string     `json:"name"`
	Relation         string     `json:"relation"`
	Sex              string     `json:"sex"`
	BirthDate        string     `json:"birth_date"`
	Age              int        `json:"age" db:"-"`
	IDMasked         string     `json:"id_masked" db:"id_masked"`
	Region           string     `json:"region"`
	RealnameLevel    int        `json:"realname_level"`
	GuardianVerified bool       `json:"guardian_verified"`
}

func (s *Service) persons(ctx context.Context, db pg.DB, account ids.Account, only ids.Person) ([]Person, error) {
	rows, err := db.Query(ctx, `
		SELECT p.id, p.name, x.relation, p.sex, to_char(p.birth_date, 'YYYY-MM-DD') AS birth_date, p.id_masked, p.region,
		       p.realname_level, x.guardian_verified
		FROM proxy x JOIN person p ON p.id = x.person_id
		WHERE x.account_id = $1 AND ($2::uuid IS NULL OR p.id = $2)
		ORDER BY x.relation <> 'self', p.created_at`, account, only)
	if err != nil {
		return nil, err
	}
	people, err := pgx.CollectRows(rows, pgx.RowToStructByName[Person])
	for i := range people {
		born, err := time.Parse(time.DateOnly, people[i].BirthDate)
		if err != nil {
			return nil, err
		}
		people[i].Age = Age(born, s.Now().In(China))
	}
	return people, err
}

// putPerson finds the person by identity number or registers them. A known number
// with another name is refused like a wrong one.
func (s *Service) putPerson(ctx context.Context, tx pgx.Tx, in NewPerson, id ResidentID) (ids.Person, error) {
	personID, lookup := ids.New[ids.Person](), s.Vault.Lookup("resident_id", id.Number)
	var name string
	err := tx.QueryRow(ctx, `
		INSERT INTO person (id, name, sex, birth_date, id_type, id_lookup, id_sealed, id_masked, realname_level, region)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 2, $9)
		ON CONFLICT (id_lookup) DO UPDATE SET realname_level = greatest(person.realname_level, 2)
		RETURNING id, name`,
		personID, in.Name, id.Sex, id.BirthDate, in.IDType, lookup, s.Vault.Seal("house", "person.id_no", []byte(id.Number)), id.Masked(), in.Region).
		Scan(&personID, &name)
	if err == nil && name != in.Name {
		return personID, fault.New(fault.Invalid, "realname_mismatch", "姓名和身份证号对不上。", "Name and ID number do not belong together.").
			WithRemedy("请对照身份证再输一遍。", "Compare both with the card and type them again.")
	}
	return personID, err
}

// putProxy lets the account act for the person. Name and number are no secret, so they
// open nobody's chart who is registered already: that takes the phone which acts for them.
func (s *Service) putProxy(ctx context.Context, tx pgx.Tx, account ids.Account, person ids.Person, relation string, guardian bool) error {
	var taken bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM proxy WHERE person_id = $1 AND account_id <> $2)`, person, account).Scan(&taken)
	if err != nil {
		return err
	}
	if taken {
		return fault.New(fault.Conflict, "person_elsewhere", "这个身份证已用另一个手机号登记。", "This ID is registered under another phone.").
			WithRemedy("请用原来的手机号登录，或打医院电话更换。", "Sign in with that phone, or ring the hospital to change it.")
	}
	if relation == "self" {
		if _, err := tx.Exec(ctx, `UPDATE account SET name = (SELECT name FROM person WHERE id = $2) WHERE id = $1`, account, person); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO proxy (account_id, person_id, relation, guardian_verified) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id, person_id) DO UPDATE SET relation = $3, guardian_verified = proxy.guardian_verified OR $4`,
		account, person, relation, guardian)
	return err
}

type place struct {
	ID   ids.Institution `json:"id"`
	Name string          `json:"name"`
}

// Role is a role at a place of practice.
type Role struct {
	Role  string `json:"role"`
	Place place  `json:"place"`
}

type profile struct {
	Kind        string
	Name        string
	PhoneSealed []byte
	Title       *string
	ExpiresAt   time.Time
}

func (s *Service) profile(ctx context.Context, sub *authz.Subject) (profile, []Role, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT a.kind, a.name, a.phone_sealed, p.title, s.expires_at
		FROM account a JOIN session s ON s.id = $2 LEFT JOIN practitioner p ON p.account_id = a.id WHERE a.id = $1`, sub.Account, sub.Session)
	if err != nil {
		return profile{}, nil, err
	}
	p, err := pgx.CollectOneRow(rows, pgx.RowToStructByName[profile])
	if err != nil {
		return profile{}, nil, err
	}
	rows, err = s.DB.Query(ctx, `
		SELECT m.role, i.id, i.name FROM membership m JOIN institution i ON i.id = m.institution_id
		WHERE m.account_id = $1 ORDER BY i.name, m.role`, sub.Account)
	if err != nil {
		return profile{}, nil, err
	}
	roles, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Role, err error) {
		err = row.Scan(&r.Role, &r.Place.ID, &r.Place.Name)
		return r, err
	})
	return p, roles, err
}
