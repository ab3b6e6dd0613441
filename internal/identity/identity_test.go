package identity_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"
	"github.com/riverqueue/river"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/identity"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/jobs"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/notify"
	"yuanzhen/internal/pg/pgtest"
)

type believes bool

func (b believes) Matches(context.Context, string, identity.ResidentID) (bool, error) {
	return bool(b), nil
}

// desk is the service with a clock that the test turns, and the SMS simulator's inbox.
type desk struct {
	*identity.Service
	now   time.Time
	inbox *notify.Simulator
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := pgtest.New(t)
	vault, err := keys.NewVault(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{now: time.Now(), inbox: &notify.Simulator{DB: db, Vault: vault}}
	sms := &notify.SMS{Vault: vault, Sender: d.inbox}
	workers := river.NewWorkers()
	sms.Register(workers)
	queue, err := jobs.New(db, slog.New(slog.DiscardHandler), workers)
	if err != nil {
		t.Fatal(err)
	}
	if err := queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { queue.Stop(context.Background()) })
	d.Service = &identity.Service{DB: db, Now: func() time.Time { return d.now }, Vault: vault, Queue: queue, SMS: sms, RealName: believes(true)}
	return d
}

const phone = "13812345678"

var sixDigits = regexp.MustCompile(`[0-9]{6}`)

// code asks for a code and waits until the job has delivered it.
func (d *desk) code(t *testing.T) string {
	t.Helper()
	before, err := d.inbox.Inbox(t.Context(), phone)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SendCode(t.Context(), phone); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		list, err := d.inbox.Inbox(t.Context(), phone)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > len(before) {
			return sixDigits.FindString(list[0].Text)
		}
	}
	t.Fatal("no message came")
	return ""
}

func wants(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || fault.As(err).Code != code {
		t.Fatalf("got %v, want the fault %q", err, code)
	}
}

func TestSignInByPhone(t *testing.T) {
	d := newDesk(t)
	code := d.code(t)
	wants(t, d.SendCode(t.Context(), phone), "code_too_soon")
	wrong := "000000"
	if code == wrong {
		wrong = "111111"
	}
	_, err := d.OpenByCode(t.Context(), phone, wrong)
	wants(t, err, "code_wrong")
	token, err := d.OpenByCode(t.Context(), phone, code)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.OpenByCode(t.Context(), phone, code)
	wants(t, err, "code_wrong") // a code is used up

	sub, err := d.Resolve(t.Context(), token)
	if err != nil || sub == nil || !sub.Holds(authz.Patient, ids.Institution{}) || sub.SecondFactor {
		t.Fatalf("%+v, %v", sub, err)
	}
	if err := d.Close(authz.WithSubject(t.Context(), sub), sub.Session); err != nil {
		t.Fatal(err)
	}
	if sub, err = d.Resolve(t.Context(), token); err != nil || sub != nil {
		t.Fatalf("an ended session still opens: %+v, %v", sub, err)
	}
}

func TestFiveWrongCodesEndIt(t *testing.T) {
	d := newDesk(t)
	code := d.code(t)
	for range 5 {
		_, err := d.OpenByCode(t.Context(), phone, "999999")
		wants(t, err, "code_wrong")
	}
	_, err := d.OpenByCode(t.Context(), phone, code)
	wants(t, err, "code_wrong")
}

func TestOldCodeIsNoCode(t *testing.T) {
	d := newDesk(t)
	code := d.code(t)
	d.now = d.now.Add(5*time.Minute + time.Second)
	_, err := d.OpenByCode(t.Context(), phone, code)
	wants(t, err, "code_wrong")
}

func TestSamePhoneIsTheSameAccount(t *testing.T) {
	d := newDesk(t)
	var accounts []ids.Account
	for range 2 {
		token, err := d.OpenByCode(t.Context(), phone, d.code(t))
		if err != nil {
			t.Fatal(err)
		}
		sub, err := d.Resolve(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, sub.Account)
		d.now = d.now.Add(time.Minute)
	}
	if accounts[0] != accounts[1] {
		t.Fatal("two accounts for one phone")
	}
}

func TestSignInOfStaff(t *testing.T) {
	d := newDesk(t)
	account, secret := ids.New[ids.Account](), "JBSWY3DPEHPK3PXP"
	_, err := d.DB.Exec(t.Context(), `INSERT INTO account (id, kind, name, login, password_hash, totp_sealed) VALUES ($1, 'staff', '张建国', 'zhang', $2, $3)`,
		account, identity.HashPassword("right"), d.Vault.Seal("house", "account.totp/"+account.String(), []byte(secret)))
	if err != nil {
		t.Fatal(err)
	}
	now := func() string {
		c, err := totp.GenerateCode(secret, d.now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	open := func(password, code string) error {
		_, err := d.OpenByPassword(t.Context(), "zhang", password, code)
		return err
	}
	if err := open("right", now()); err != nil {
		t.Fatal(err)
	}
	wants(t, open("right", "000000"), "sign_in_wrong")
	_, err = d.OpenByPassword(t.Context(), "nobody", "right", now())
	wants(t, err, "sign_in_wrong")
	for range 4 {
		wants(t, open("wrong", now()), "sign_in_wrong")
	}
	wants(t, open("right", now()), "account_locked")
	d.now = d.now.Add(5*time.Minute + time.Second)
	if err := open("right", now()); err != nil {
		t.Fatalf("after the lock: %v", err)
	}
}

func TestPersonsOfAnAccount(t *testing.T) {
	d := newDesk(t)
	account := func(n string) context.Context {
		id := ids.New[ids.Account]()
		if _, err := d.DB.Exec(t.Context(), `INSERT INTO account (id, kind, name, phone_lookup) VALUES ($1, 'patient', '', $2)`, id, []byte(n)); err != nil {
			t.Fatal(err)
		}
		return authz.WithSubject(t.Context(), &authz.Subject{Account: id})
	}
	mother, stranger := account("a"), account("b")
	self, err := d.AddPerson(mother, identity.NewPerson{Relation: "self", Name: "王秀英", IDType: "01", IDNo: "11010519491231002X"})
	if err != nil || self.Sex != "F" || self.BirthDate != "1949-12-31" || self.RealnameLevel != 2 || self.IDMasked != "110***********002X" {
		t.Fatalf("%+v, %v", self, err)
	}
	_, err = d.AddPerson(mother, identity.NewPerson{Relation: "self", Name: "王秀兰", IDType: "01", IDNo: "440524188001010014"})
	wants(t, err, "self_already")
	_, err = d.AddPerson(stranger, identity.NewPerson{Relation: "self", Name: "王秀英", IDType: "01", IDNo: "11010519491231002X"})
	wants(t, err, "person_elsewhere")
	_, err = d.AddPerson(stranger, identity.NewPerson{Relation: "parent", Name: "王秀英", IDType: "01", IDNo: "11010519491231002X"})
	wants(t, err, "person_elsewhere") // who knows name and number does not get the chart
	_, err = d.AddPerson(stranger, identity.NewPerson{Relation: "parent", Name: "别人名", IDType: "01", IDNo: "11010519491231002X"})
	wants(t, err, "realname_mismatch")
	_, err = d.AddPerson(stranger, identity.NewPerson{Relation: "self", Name: "李强", IDType: "01", IDNo: "110105194912310021"})
	wants(t, err, "id_number_wrong")
	d.RealName = believes(false)
	_, err = d.AddPerson(stranger, identity.NewPerson{Relation: "self", Name: "李强", IDType: "01", IDNo: "440524188001010014"})
	wants(t, err, "realname_mismatch")

	var plain int
	err = d.DB.QueryRow(t.Context(), `SELECT count(*) FROM person p WHERE p::text LIKE '%19491231002X%'`).Scan(&plain)
	if err != nil || plain != 0 {
		t.Fatalf("the ID number stands in clear in %d rows, %v", plain, err)
	}
}

func TestSigningKeyOpensForItsHolderAlone(t *testing.T) {
	d := newDesk(t)
	service := &keys.Service{Now: func() time.Time { return d.now }}
	holder := ids.New[ids.Practitioner]()
	err := d.DB.InTx(t.Context(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `
			WITH a AS (INSERT INTO account (id, kind, name) VALUES (gen_random_uuid(), 'patient', '') RETURNING id)
			INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since)
			SELECT $1, id, 'physician', '张建国', '', 3, '执业医师', '{}', true, 'passed', '2010-01-01' FROM a`, holder); err != nil {
			return err
		}
		return service.Issue(t.Context(), tx, holder, "passphrase")
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := []byte(`{"a":1}`)
	_, err = service.Sign(t.Context(), d.DB, holder, "another", doc)
	wants(t, err, "wrong_passphrase")
	signature, err := service.Sign(t.Context(), d.DB, holder, "passphrase", doc)
	if err != nil {
		t.Fatal(err)
	}
	list, err := keys.PublicKeys(t.Context(), d.DB)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d keys, %v", len(list), err)
	}
	if err := keys.Verify(list[0], doc, signature.Sig); err != nil {
		t.Fatal(err)
	}
	if keys.Verify(list[0], []byte(`{"a":2}`), signature.Sig) == nil {
		t.Fatal("another document verifies")
	}
	d.now = d.now.AddDate(4, 0, 0)
	_, err = service.Sign(t.Context(), d.DB, holder, "passphrase", doc)
	wants(t, err, "no_signing_key")
	if err := keys.Verify(list[0], doc, signature.Sig); err != nil {
		t.Fatalf("what was signed must verify for ever: %v", err)
	}
}
