package prescribe

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"yuanzhen/internal/ids"
	"yuanzhen/prescribe/proof"
	"yuanzhen/prescribe/qr"
)

// proved is an approved prescription with its file, as a stranger gets it over HTTP, and the published keys.
func (m *market) proved() (proof.File, []qr.Key) {
	m.t.Helper()
	p := m.approved(renewal())
	if n, err := m.Log.Seal(m.t.Context()); err != nil || n == 0 {
		m.t.Fatalf("sealed %d, %v", n, err)
	}
	out, err := m.ProofOf(m.as(m.family, "prescription.read"), p.ID)
	if err != nil || len(out.Faults) > 0 || out.File == nil || len(out.File.Times) != 3 {
		m.t.Fatalf("%+v, %v", out, err)
	}
	text, err := json.Marshal(out)
	if err != nil {
		m.t.Fatal(err)
	}
	file, err := proof.Read(bytes.NewReader(text))
	if err != nil {
		m.t.Fatal(err)
	}
	list, err := m.VerificationKeys(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return file, list
}

// The file on the page for everybody: whole, altered, of a prescription that was cancelled since, and no file at all.
func TestAProofFileByHTTP(t *testing.T) {
	m := newMarket(t)
	file, _ := m.proved()
	address := m.serve(nil) + "/api/v1/verify/proof"
	ask := func(body any) (v ProofVerification, status int) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Post(address, "application/json", bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&v); err != nil {
			t.Fatal(err)
		}
		return v, response.StatusCode
	}
	if v, status := ask(file); status != 200 || v.Result != qr.Genuine || len(v.Faults) > 0 || v.EvidenceCode == "" {
		t.Fatalf("%d %+v", status, v)
	}
	altered := file
	altered.Envelope = strings.Replace(file.Envelope, "28", "29", 1)
	if v, _ := ask(altered); v.Result != qr.Forged || len(v.Faults) == 0 || v.EvidenceCode != "" {
		t.Errorf("altered: %+v", v)
	}
	if _, status := ask("hello"); status != 422 {
		t.Errorf("no file: %d", status)
	}
	if v, status := ask(map[string]string{}); status != 200 || v.Result != qr.Forged || !strings.Contains(v.Faults[0], "format") {
		t.Errorf("an empty one: %d %+v", status, v)
	}
	var e proof.Envelope
	if err := json.Unmarshal([]byte(file.Envelope), &e); err != nil {
		t.Fatal(err)
	}
	id, err := ids.Parse[ids.Prescription](e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Cancel(m.as(m.doctor, "prescription.write"), id); err != nil {
		t.Fatal(err)
	}
	if v, _ := ask(file); v.Result != qr.Revoked || len(v.Faults) > 0 {
		t.Errorf("cancelled since: %+v", v)
	}
}

// The file alone, with the published keys and the authority's certificate, years later: no database, no server.
func TestAProofFileStandsAlone(t *testing.T) {
	m := newMarket(t)
	file, published := m.proved()
	root := m.Keys.CA.Root()
	check := func(file proof.File, keys []qr.Key, at time.Time) proof.Findings {
		_, f := proof.Trust{Keys: keys, Root: root, At: at}.Check(file)
		return f
	}
	if e, f := (proof.Trust{Keys: published, Root: root, At: m.now}).Check(file); len(f.Faults) > 0 || len(f.Notes) > 0 || e.Institution.Name != "清河市第一医院" {
		t.Fatalf("%+v", f)
	}
	if f := check(file, published, m.now.AddDate(12, 0, 0)); len(f.Faults) > 0 || len(f.Notes) != 3 || !strings.Contains(f.Notes[0], "the signature stands") {
		t.Errorf("twelve years later: %+v", f)
	}
	with := func(change func(k *qr.Key)) []qr.Key {
		list := slices.Clone(published)
		for i := range list {
			change(&list[i])
		}
		return list
	}
	only := func(use string, change func(k *qr.Key)) []qr.Key {
		return with(func(k *qr.Key) {
			if k.Use == use {
				change(k)
			}
		})
	}
	before, after := m.now.Add(-time.Minute), m.now.Add(time.Minute)
	for _, c := range []struct {
		story string
		keys  []qr.Key
		says  string
	}{
		{"the seal was revoked before it sealed", only("seal", func(k *qr.Key) { k.RevokedAt = &before }), "seal: after the certificate was revoked"},
		{"the doctor's key was revoked before it signed", only("sign", func(k *qr.Key) { k.RevokedAt = &before }), "signature: after the certificate was revoked"},
		{"the seal's certificate was over", only("seal", func(k *qr.Key) { k.To = before }), "seal: outside the certificate's time"},
		{"the doctor's certificate was over", only("sign", func(k *qr.Key) { k.To = before }), "signature: outside the certificate's time"},
		{"the pharmacist's certificate had not begun", only("sign", func(k *qr.Key) { k.From = after }), "review: outside the certificate's time"},
		{"a list of another hospital", nil, "seal: a key nobody knows"},
		{"a key of another hospital under the same name", only("seal", func(k *qr.Key) { k.HolderID = m.ids[0].String() }), "seal: somebody else's key"},
		{"a person's key as a seal", only("seal", func(k *qr.Key) { k.Use = "sign" }), "seal: somebody else's key"},
		{"a certificate of another authority", only("seal", func(k *qr.Key) { k.Certificate = published[0].Certificate }), "seal: its certificate is for another key"},
		{"a log nobody knows", only("log", func(k *qr.Key) { k.Public = make([]byte, 32) }), "times: a head of a log nobody knows"},
	} {
		if f := check(file, c.keys, m.now); !strings.Contains(strings.Join(f.Faults, "\n"), c.says) {
			t.Errorf("%s: %q, want %s", c.story, f.Faults, c.says)
		}
	}
	if f := check(file, only("seal", func(k *qr.Key) { k.RevokedAt = &after }), m.now.Add(time.Hour)); len(f.Faults) > 0 || len(f.Notes) != 1 {
		t.Errorf("revoked since: %+v", f)
	}
}

// Every byte of the file counts.
func TestOneByteOfAProofFile(t *testing.T) {
	m := newMarket(t)
	file, published := m.proved()
	trust := proof.Trust{Keys: published, Root: m.Keys.CA.Root(), At: m.now}
	refused := func(f proof.File) bool {
		_, found := trust.Check(f)
		return len(found.Faults) > 0
	}
	for i := 0; i < len(file.Envelope); i += 7 {
		altered := file
		altered.Envelope = file.Envelope[:i] + string(rune(file.Envelope[i]^1)) + file.Envelope[i+1:]
		if !refused(altered) {
			t.Fatalf("byte %d of the envelope: %q", i, file.Envelope[max(0, i-20):i+1])
		}
	}
	for i := range file.Seal {
		altered := file
		altered.Seal = slices.Clone(file.Seal)
		altered.Seal[i] ^= 1
		if !refused(altered) {
			t.Fatalf("byte %d of the seal", i)
		}
	}
	for n, w := range file.Times {
		with := func(w proof.Witness) proof.File {
			altered := file
			altered.Times = slices.Clone(file.Times)
			altered.Times[n] = w
			return altered
		}
		for i := range w.Entry {
			other := w
			other.Entry = w.Entry[:i] + string(rune(w.Entry[i]^1)) + w.Entry[i+1:]
			if !refused(with(other)) {
				t.Fatalf("byte %d of entry %d", i, n)
			}
		}
		other := w
		other.Leaf++
		if !refused(with(other)) {
			t.Errorf("entry %d at another place", n)
		}
	}
	if !refused(proof.File{}) || !refused(proof.File{Format: proof.FileFormat, Envelope: "{}"}) {
		t.Error("an empty file proves something")
	}
}

// Without a valid seal nothing is issued, and what was decided stays undone.
func TestWithoutASealNothingIsIssued(t *testing.T) {
	m := newMarket(t)
	p := m.signed(renewal())
	m.exec(`UPDATE signing_key SET revoked_at = $2, revoked_reason = 'key_compromise' WHERE institution_id = $1`, m.place, m.now)
	if _, err := m.review(p, pass()); code(err) != "no_seal" {
		t.Fatalf("%v", err)
	}
	if p, err := m.Prescription(m.as(m.doctor, "prescription.read"), p.ID); err != nil || p.State != Signed || p.Review != nil {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := m.db.InTx(t.Context(), func(tx pgx.Tx) error { return m.Keys.IssueSeal(t.Context(), tx, m.place) }); err != nil {
		t.Fatal(err)
	}
	if p, err := m.review(p, pass()); err != nil || p.State != Approved {
		t.Fatalf("%+v, %v", p, err)
	}
}

// What was signed with Ed25519 before there were statements, certificates and seals verifies, and can still be issued.
func TestSignedBeforeSM2(t *testing.T) {
	m := newMarket(t)
	ca := m.Keys.CA
	m.Keys.Alg, m.Keys.CA = "Ed25519", nil
	m.issueKey(m.doctor)
	m.Keys.CA = ca
	p := m.write(renewal())
	signature, err := m.Keys.Sign(t.Context(), m.db, m.doctor.Practitioner, passphrase, p.row.Canonical)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.db.InTx(t.Context(), func(tx pgx.Tx) error {
		_, err := putSignature(t.Context(), tx, p.ID, p.SHA256, nil, signature, validity(p.Order, m.now))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if f := m.prove(p); len(f.Faults) > 0 || !slices.Contains(f.Notes, "signature: its key is from before there were certificates") {
		t.Fatalf("%+v", f)
	}
	if p, err = m.review(p, pass()); err != nil {
		t.Fatal(err)
	}
	if f := m.prove(p); len(f.Faults) > 0 {
		t.Errorf("sealed: %+v", f)
	}
}
