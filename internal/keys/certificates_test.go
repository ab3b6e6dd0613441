package keys

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg/pgtest"
)

// office is two hospitals with a doctor and an administrator each.
type office struct {
	*Service
	t       *testing.T
	now     time.Time
	policy  *authz.Policy
	places  [2]ids.Institution
	doctors [2]*authz.Subject
	admins  [2]*authz.Subject
}

func newOffice(t *testing.T) *office {
	t.Helper()
	policy, err := authz.Load()
	if err != nil {
		t.Fatal(err)
	}
	o := &office{t: t, policy: policy, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	v := vault(t)
	ca, err := NewSimulatedCA(v)
	if err != nil {
		t.Fatal(err)
	}
	o.Service = &Service{DB: pgtest.New(t), Now: func() time.Time { return o.now }, CA: ca, Vault: v}
	for i := range o.places {
		o.places[i] = ids.New[ids.Institution]()
		doctor := &authz.Subject{Account: ids.New[ids.Account](), Practitioner: ids.New[ids.Practitioner](), Memberships: []authz.Membership{{Role: authz.Doctor, Place: o.places[i]}}}
		o.doctors[i] = doctor
		o.admins[i] = &authz.Subject{Account: ids.New[ids.Account](), Memberships: []authz.Membership{{Role: authz.Administrator, Place: o.places[i]}}}
		name := []string{"清河市第一医院", "云岭县人民医院"}[i]
		o.exec(`INSERT INTO institution (id, code, name, kind, region, address, phone, licence_until) VALUES ($1, $2, $2, 'internet_hospital', '420100', '', '', '2030-01-01')`, o.places[i], name)
		o.exec(`INSERT INTO account (id, kind, name) VALUES ($1, 'patient', '')`, doctor.Account)
		o.exec(`INSERT INTO practitioner (id, account_id, kind, name, title, title_rank, level, scope, national_register_found, assessment, independent_since)
		        VALUES ($1, $2, 'physician', $3, '', 3, '', '{}', true, 'passed', '2010-01-01')`, doctor.Practitioner, doctor.Account, []string{"张建国", "李敏"}[i])
		o.exec(`INSERT INTO registration (id, practitioner_id, institution_id, kind, province, during, institution_consent)
		        VALUES (gen_random_uuid(), $1, $2, 'primary', '42', '[2020-01-01,2030-01-01)', true)`, doctor.Practitioner, o.places[i])
	}
	return o
}

func (o *office) exec(sql string, args ...any) {
	o.t.Helper()
	if _, err := o.DB.Exec(o.t.Context(), sql, args...); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) as(s *authz.Subject, action string) context.Context {
	o.t.Helper()
	scope, err := o.policy.Scope(s, action)
	if err != nil || scope.Empty() {
		o.t.Fatalf("%s: %+v, %v", action, scope, err)
	}
	return authz.WithScope(authz.WithSubject(o.t.Context(), s), scope)
}

func code(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

func TestADoctorsCertificate(t *testing.T) {
	o := newOffice(t)
	me := o.as(o.doctors[0], "certificate.own")
	list, err := o.Renew(me, "", "first secret")
	if err != nil || len(list) != 1 || list[0].State != "valid" || list[0].Alg != "SM2" || !strings.Contains(list[0].Issuer, "Simulated") || list[0].Holder != "张建国" {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := o.Renew(me, "a guess", "second secret"); code(err) != "wrong_passphrase" {
		t.Errorf("a stolen session makes a signer: %v", err)
	}
	if _, err := o.Renew(me, "first secret", "short"); code(err) != "passphrase_short" {
		t.Errorf("short: %v", err)
	}
	list, err = o.Renew(me, "first secret", "second secret")
	if err != nil || len(list) != 2 || list[0].State != "valid" || list[1].State != "revoked" || list[1].RevokedReason != "superseded" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := o.End(o.as(o.doctors[1], "certificate.own"), list[0].KeyID); code(err) != "not_found" {
		t.Errorf("somebody else's: %v", err)
	}
	if err := o.End(me, list[0].KeyID); err != nil {
		t.Fatal(err)
	}
	if err := o.End(me, list[0].KeyID); code(err) != "not_found" {
		t.Errorf("twice: %v", err)
	}
	if _, err := o.Sign(t.Context(), o.DB, o.doctors[0].Practitioner, "second secret", []byte("x")); code(err) != "no_signing_key" {
		t.Errorf("signs with what was ended: %v", err)
	}
	if list, err = o.Renew(me, "", "third secret"); err != nil || len(list) != 3 || list[0].State != "valid" {
		t.Fatalf("%+v, %v", list, err)
	}
	o.now = o.now.AddDate(3, 0, 1)
	if list, err = o.Own(me); err != nil || list[0].State != "ended" {
		t.Fatalf("%+v, %v", list, err)
	}
}

func TestAnAdministratorsHouse(t *testing.T) {
	o := newOffice(t)
	if _, err := o.Renew(o.as(o.doctors[0], "certificate.own"), "", "first secret"); err != nil {
		t.Fatal(err)
	}
	admin := o.as(o.admins[0], "certificate.manage")
	if err := o.RenewSeal(admin, o.places[1]); code(err) != "not_found" {
		t.Errorf("another hospital's seal: %v", err)
	}
	for range 2 {
		if err := o.RenewSeal(admin, o.places[0]); err != nil {
			t.Fatal(err)
		}
	}
	pen, err := o.Seal(t.Context(), o.DB, o.places[0])
	if err != nil {
		t.Fatal(err)
	}
	h, err := o.Everybodys(admin)
	if err != nil || len(h.Places) != 1 || len(h.Certificates) != 3 || !h.Certificates[0].Seal || h.Certificates[0].KeyID != pen.KeyID || h.Certificates[1].Holder != "张建国" || h.Certificates[2].State != "revoked" {
		t.Fatalf("%+v, %v", h, err)
	}
	other := o.as(o.admins[1], "certificate.manage")
	if h, err := o.Everybodys(other); err != nil || len(h.Certificates) != 0 {
		t.Errorf("another hospital sees %+v, %v", h, err)
	}
	for _, c := range h.Certificates[:2] {
		if err := o.RevokeAt(other, c.KeyID, "ended"); code(err) != "not_found" {
			t.Errorf("another hospital revokes: %v", err)
		}
		if err := o.RevokeAt(admin, c.KeyID, "key_compromise"); err != nil {
			t.Errorf("%s: %v", c.Holder, err)
		}
	}
	if _, err := o.Seal(t.Context(), o.DB, o.places[0]); code(err) != "no_seal" {
		t.Errorf("seals with what was revoked: %v", err)
	}
}

// strange is an authority that certifies another key than it was asked for.
type strange struct {
	*SimulatedCA
	instead []byte
}

func (s *strange) Certify(ctx context.Context, request []byte, from, until time.Time) ([]byte, error) {
	fresh, err := s.SimulatedCA.Certify(ctx, request, from, until)
	if s.instead == nil {
		s.instead = fresh
	}
	return s.instead, err
}

func TestAnAnswerOfTheAuthorityIsChecked(t *testing.T) {
	o := newOffice(t)
	o.CA = &strange{SimulatedCA: o.CA.(*SimulatedCA)}
	issue := func() error {
		return o.DB.InTx(t.Context(), func(tx pgx.Tx) error { return o.IssueSeal(t.Context(), tx, o.places[0]) })
	}
	if err := issue(); err != nil {
		t.Fatal(err)
	}
	if err := issue(); err == nil || !strings.Contains(err.Error(), "for another key") {
		t.Errorf("believed: %v", err)
	}
}
