// Package identity knows who is who: accounts and sessions, persons and whom an
// account may act for, practitioners and where they are registered, institutions.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/jobs"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/notify"
	"yuanzhen/internal/pg"
)

// RealName asks the authority whether a name belongs to an identity number. A port:
// the authority is an outside party.
type RealName interface {
	// Matches reports whether name and number belong together.
	Matches(ctx context.Context, name string, id ResidentID) (bool, error)
}

// Service signs people in and keeps who they are.
type Service struct {
	DB       *pg.Pool
	Now      func() time.Time
	Vault    *keys.Vault
	Queue    *jobs.Queue
	SMS      *notify.SMS
	RealName RealName
	Secure   bool // cookies only over TLS
}

const (
	codeLife     = 5 * time.Minute
	codeTries    = 5
	codeInterval = 20 * time.Second // between two codes to one phone
	patientLife  = 30 * 24 * time.Hour
	staffLife    = 12 * time.Hour // one shift
	lockAfter    = 5              // wrong passwords in a row
	lockFor      = 5 * time.Minute
)

var mobile = regexp.MustCompile(`^1[3-9][0-9]{9}$`)

func checkPhone(phone string) error {
	if !mobile.MatchString(phone) {
		return fault.New(fault.Invalid, "phone_wrong", "手机号不对，应是 11 位。", "This is not a mobile number of 11 digits.").
			WithRemedy("请再输一遍手机号。", "Please type the number again.")
	}
	return nil
}

// SendCode texts a sign-in code of six digits to the phone.
func (s *Service) SendCode(ctx context.Context, phone string) error {
	if err := checkPhone(phone); err != nil {
		return err
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return err
	}
	code, now, lookup := fmt.Sprintf("%06d", n), s.Now(), s.Vault.Lookup("phone", phone)
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		sent, err := s.putCode(ctx, tx, lookup, s.codeHash(phone, code), now)
		if err != nil {
			return err
		}
		if !sent {
			return fault.New(fault.Limited, "code_too_soon", "验证码刚发过，请稍等。", "A code was sent a moment ago.").
				WithRemedy("20 秒后可以再要一个。", "You can ask for another in 20 seconds.")
		}
		return s.SMS.Queue(ctx, tx, s.Queue, phone, fmt.Sprintf("【远诊】验证码 %s，5 分钟内有效。请勿告诉别人。", code))
	})
}

func (s *Service) codeHash(phone, code string) []byte { return s.Vault.Lookup("otp", phone+"/"+code) }

// OpenByCode signs a patient in, making the account at the first time.
func (s *Service) OpenByCode(ctx context.Context, phone, code string) (token string, err error) {
	if err := checkPhone(phone); err != nil {
		return "", err
	}
	lookup := s.Vault.Lookup("phone", phone)
	var refused error // a wrong code costs a try: that must be committed
	err = s.DB.InTx(ctx, func(tx pgx.Tx) error {
		refused = nil
		left, ok, err := s.spendTry(ctx, tx, lookup, s.codeHash(phone, code), s.Now())
		if err != nil {
			return err
		}
		if !ok {
			refused = fault.New(fault.Invalid, "code_wrong", fmt.Sprintf("验证码不对或已过期。还能试 %d 次。", left),
				fmt.Sprintf("Wrong or expired code; %d tries left.", left)).
				WithRemedy("看最新的短信，或重新要一个。", "Use the newest message, or ask for a new code.")
			return nil
		}
		account, err := s.accountByPhone(ctx, tx, lookup, phone)
		if err != nil {
			return err
		}
		token, err = s.open(ctx, tx, account, false, patientLife)
		return err
	})
	return token, errors.Join(err, refused)
}

// OpenByPassword signs staff in with a password and a time-based code (RFC 6238).
func (s *Service) OpenByPassword(ctx context.Context, login, password, code string) (token string, err error) {
	wrong := fault.New(fault.Unauthenticated, "sign_in_wrong", "账号、密码或动态码不对。", "Account, password or one-time code is wrong.").
		WithRemedy("请核对后再试；连续错 5 次会锁 5 分钟。", "Check them and try again; five wrong tries lock the account for 5 minutes.")
	now := s.Now()
	account, err := s.staff(ctx, login)
	if errors.Is(err, pgx.ErrNoRows) {
		checkPassword(decoy, password) // unknown logins take as long as known ones
		return "", wrong
	}
	if err != nil {
		return "", err
	}
	if account.LockedUntil != nil && now.Before(*account.LockedUntil) {
		return "", fault.New(fault.Limited, "account_locked", "错误次数太多，账号已暂时锁定。", "Too many wrong tries; the account is locked for a while.").
			WithRemedy("请 5 分钟后再试。", "Please try again in 5 minutes.")
	}
	secret, err := s.Vault.Open("house", "account.totp/"+account.ID.String(), account.TOTPSealed)
	if err != nil {
		return "", err
	}
	valid, err := totp.ValidateCustom(code, string(secret), now, totpOptions)
	if err != nil || !valid || !checkPassword(account.PasswordHash, password) {
		return "", errors.Join(wrong, s.countFailure(ctx, account.ID, now))
	}
	err = s.DB.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.clearFailures(ctx, tx, account.ID); err != nil {
			return err
		}
		token, err = s.open(ctx, tx, account.ID, true, staffLife)
		return err
	})
	return token, err
}

// open makes a session and returns its token: 256 random bits, kept as a hash.
func (s *Service) open(ctx context.Context, tx pgx.Tx, account ids.Account, second bool, life time.Duration) (string, error) {
	token := rand.Text() + rand.Text()
	hash := sha256.Sum256([]byte(token))
	id := ids.New[ids.Session]()
	if err := s.insertSession(ctx, tx, id, hash[:], account, second, s.Now().Add(life)); err != nil {
		return "", err
	}
	ctx = authz.WithSubject(ctx, &authz.Subject{Account: account, Session: id})
	return token, audit.Write(ctx, tx, audit.Entry{Action: "session.open", Object: "session/" + id.String()})
}

// OpenFor makes a session without credentials: for the demo's cast, never in production.
func (s *Service) OpenFor(ctx context.Context, account ids.Account) (token string, err error) {
	err = s.DB.InTx(ctx, func(tx pgx.Tx) error {
		token, err = s.open(ctx, tx, account, true, staffLife)
		return err
	})
	return token, err
}

// Close ends the session at once, on every node.
func (s *Service) Close(ctx context.Context, session ids.Session) error {
	return s.DB.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.revokeSession(ctx, tx, session, s.Now()); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "session.close", Object: "session/" + session.String()})
	})
}

// Resolve finds who a token stands for; nil for one that ended or never was.
func (s *Service) Resolve(ctx context.Context, token string) (*authz.Subject, error) {
	hash := sha256.Sum256([]byte(token))
	return s.subject(ctx, hash[:], s.Now())
}

// NewPerson is what somebody enters for real-name registration.
type NewPerson struct {
	Relation string `json:"relation" enum:"self,child,parent,spouse,other" doc:"What the person is to the account's holder"`
	Name     string `json:"name" minLength:"2" maxLength:"40"`
	IDType   string `json:"id_type" enum:"01" default:"01" doc:"WS 364 CV02.01.101: 01 resident identity card"`
	IDNo     string `json:"id_no" minLength:"15" maxLength:"18"`
	Region   string `json:"region,omitempty" pattern:"^([0-9]{6})?$" doc:"Where the person lives, GB/T 2260"`
}

// AddPerson registers a person under the real name and lets the account act for
// them. A person who is registered already is joined, not doubled.
func (s *Service) AddPerson(ctx context.Context, in NewPerson) (Person, error) {
	account := authz.SubjectFrom(ctx).Account
	id, err := ParseResidentID(in.IDNo, s.Now().In(China))
	if err != nil {
		return Person{}, err
	}
	matches, err := s.RealName.Matches(ctx, in.Name, id)
	if err != nil {
		return Person{}, fault.New(fault.Unavailable, "realname_away", "实名核验暂时连不上，您填的都在。", "The real-name check is away for a moment.").
			WithRemedy("请过几分钟再试，或打医院电话。", "Try again in a few minutes, or ring the hospital.").Because(err)
	}
	if !matches {
		return Person{}, fault.New(fault.Invalid, "realname_mismatch", "姓名和身份证号对不上。", "Name and ID number do not belong together.").
			WithRemedy("请对照身份证再输一遍。", "Compare both with the card and type them again.")
	}
	if in.Region == "" {
		in.Region = id.Region
	}
	var person Person
	err = s.DB.InTx(ctx, func(tx pgx.Tx) error {
		personID, err := s.putPerson(ctx, tx, in, id)
		if err != nil {
			return err
		}
		// The check of the kinship register is part of the same simulated authority.
		guardian := in.Relation == "child" && Age(id.BirthDate, s.Now().In(China)) < 18
		if err := s.putProxy(ctx, tx, account, personID, in.Relation, guardian); err != nil {
			if pg.Violates(err, "proxy_one_self") {
				return fault.New(fault.Conflict, "self_already", "这个手机号已经登记过本人。", "This phone already has its own person.").
					WithRemedy("给家人看病请选家人关系。", "For a relative choose the relation.")
			}
			return err
		}
		if err := audit.Write(ctx, tx, audit.Entry{Action: "person.add", Object: "person/" + personID.String(), Person: personID}); err != nil {
			return err
		}
		people, err := s.persons(ctx, tx, account, personID)
		if err != nil {
			return err
		}
		person = people[0]
		return nil
	})
	return person, err
}

// Persons lists whom the account may act for, oneself first.
func (s *Service) Persons(ctx context.Context, account ids.Account) ([]Person, error) {
	return s.persons(ctx, s.DB, account, ids.Person{})
}

// Tell sends a message to the account's phone after the deed was committed. Who has no phone is not told.
func (s *Service) Tell(ctx context.Context, tx pgx.Tx, account ids.Account, text string) error {
	phone, err := s.phoneOf(ctx, tx, account)
	if err != nil || phone == "" {
		return err
	}
	return s.SMS.Queue(ctx, tx, s.Queue, phone, text)
}
