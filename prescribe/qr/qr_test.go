package qr

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"yuanzhen/internal/sig"
)

var (
	private, _ = sig.Restore(sig.SM2, bytes.Repeat([]byte{7}, 32))
	now        = time.Date(2026, 11, 21, 10, 0, 0, 0, China)
	key        = Key{ID: uuid.MustParse("0190a5d0-0000-7000-8000-000000000001"), Use: "seal", Alg: sig.SM2, Public: private.Public(),
		Holder: "云岭县人民医院互联网医院", Institution: "云岭县人民医院互联网医院", From: now.AddDate(-1, 0, 0), To: now.AddDate(2, 0, 0)}
)

// full is as long as a code may get in practice: five lines with long names.
func full() Evidence {
	e := Evidence{Number: "RX20261121-00000042", Hospital: key.Institution, Doctor: "欧阳文静", Initial: "王", BirthYear: 1968,
		Issued: DayOf(now), Until: DayOf(now), Key: key.ID, Alg: sig.SM2}
	for range 5 {
		e.Lines = append(e.Lines, Line{Name: "奈玛特韦片/利托那韦片组合包装", Use: "1000 mg × 3/d po", Days: 28})
	}
	return e
}

func sign(t testing.TB, e Evidence) string {
	t.Helper()
	document, err := e.Document()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := private.Sign(document)
	if err != nil {
		t.Fatal(err)
	}
	if signature, err = sig.Compact(sig.SM2, signature); err != nil {
		t.Fatal(err)
	}
	return Code(document, signature)
}

func TestRoundTrip(t *testing.T) {
	code := sign(t, full())
	if len(code) >= 1024 {
		t.Errorf("%d characters", len(code))
	}
	got, result := Verify(code, []Key{key}, now)
	if result != Genuine {
		t.Fatal(result)
	}
	want, _ := json.Marshal(full())
	if have, _ := json.Marshal(got); !bytes.Equal(have, want) {
		t.Errorf("%s\n%s", have, want)
	}
}

func TestAnyOtherCharacterIsForgedOrUnknown(t *testing.T) {
	code := sign(t, full())
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range code {
		for _, step := range []int{1, 2, 32} { // the lowest bits, which padding could hide, and the highest
			altered := code[:i] + string(alphabet[(strings.IndexByte(alphabet, code[i])+step)%64]) + code[i+1:]
			if _, result := Verify(altered, []Key{key}, now); result != Forged && result != UnknownKey {
				t.Fatalf("character %d: %s", i, result)
			}
		}
	}
	for _, other := range []string{"", "A", code[1:], code[:len(code)-1], code + "A", code + "==", code + "\n", strings.Repeat("A", 4000)} {
		if _, result := Verify(other, []Key{key}, now); result != Forged {
			t.Errorf("%.20q: %s", other, result)
		}
	}
}

func TestResults(t *testing.T) {
	code := sign(t, full())
	with := func(change func(*Key)) []Key {
		k := key
		change(&k)
		return []Key{k}
	}
	yesterday, tomorrow := now.AddDate(0, 0, -1), now.AddDate(0, 0, 1)
	for _, c := range []struct {
		story string
		keys  []Key
		at    time.Time
		want  Result
	}{
		{"last second of the day in China", []Key{key}, time.Date(2026, 11, 21, 15, 59, 59, 0, time.UTC), Genuine},
		{"first second of the next day", []Key{key}, time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC), Expired},
		{"no such key", nil, now, UnknownKey},
		{"another key under the same name", with(func(k *Key) { other, _ := sig.Restore(sig.SM2, bytes.Repeat([]byte{8}, 32)); k.Public = other.Public() }), now, Forged},
		{"another algorithm under the same name", with(func(k *Key) { k.Alg, k.Public = sig.Ed25519, make([]byte, 32) }), now, Forged},
		{"a key that is no point of the curve", with(func(k *Key) { k.Public = append([]byte{4}, make([]byte, 64)...) }), now, UnknownKey},
		{"an algorithm nobody knows", with(func(k *Key) { k.Alg = "none" }), now, UnknownKey},
		{"key revoked the day before", with(func(k *Key) { k.RevokedAt = &yesterday }), now, Revoked},
		{"key revoked later", with(func(k *Key) { k.RevokedAt = &tomorrow }), now, Genuine},
		{"key not yet valid", with(func(k *Key) { k.From = tomorrow }), now, Revoked},
	} {
		if _, got := Verify(code, c.keys, c.at); got != c.want {
			t.Errorf("%s: %s, want %s", c.story, got, c.want)
		}
	}
}

// A code printed before SM2: nine fields, Ed25519, signed by the pharmacist.
func TestCodesFromBeforeStillVerify(t *testing.T) {
	const code = "iW9RSDIwMjYxMTIyLTAwMDd15riF5rKz5biC56ys5LiA5Yy76ZmiaeW8oOW7uuWbvWPnjosZB6eCg2_msKjmsK_lnLDlubPniYdrNSBtZyDDlyAxL2QYHINv57ys5rKZ5Z2m6IO25ZuKbDgwIG1nIMOXIDEvZBgcGgE1KQIaATUpBFABkKGyw9R-X4qbDB0uP0pb8GnMoWqDxoVfvwZKMoQ6U4xaawiKETCbYln9Z3DeQSo0mmNozjXysXXpcKEVM_md2MgWMq0Qlzm2r25DxtsyAA"
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i)
	}
	old := Key{ID: uuid.MustParse("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"), Alg: sig.Ed25519, Public: ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey),
		From: now.AddDate(0, -6, 0), To: now.AddDate(1, 0, 0)}
	e, result := Verify(code, []Key{old}, now.AddDate(0, 0, 1))
	if result != Genuine || e.Number != "QH20261122-0007" || e.Alg != "" {
		t.Fatalf("%s %+v", result, e)
	}
	old.Alg = sig.SM2
	if _, result := Verify(code, []Key{old}, now); result == Genuine {
		t.Error("genuine under another algorithm")
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	six := full()
	six.Lines = append(six.Lines, six.Lines[0])
	long := full()
	long.Hospital = strings.Repeat("院", 400)
	for story, e := range map[string]Evidence{"six lines": six, "no lines": {Number: "1"}, "too long": long} {
		if _, err := e.Document(); err == nil {
			t.Errorf("%s: fits", story)
		}
	}
}

func TestReadKeys(t *testing.T) {
	list, _ := json.Marshal([]Key{key})
	keys, err := ReadKeys(bytes.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	if _, result := Verify(sign(t, full()), keys, now); result != Genuine {
		t.Error(result)
	}
	if _, err := ReadKeys(strings.NewReader("{")); err == nil {
		t.Error("half a list was read")
	}
}

func FuzzVerify(f *testing.F) {
	short := full()
	short.Lines = short.Lines[:1]
	signed := map[string]bool{}
	for _, e := range []Evidence{full(), short} {
		document, err := e.Document()
		if err != nil {
			f.Fatal(err)
		}
		signed[string(document)] = true
		f.Add(sign(f, e))
	}
	f.Fuzz(func(t *testing.T, code string) {
		e, result := Verify(code, []Key{key}, now)
		if result != Genuine {
			return
		}
		if document, err := e.Document(); err != nil || !signed[string(document)] {
			t.Fatal("a code nobody signed")
		}
	})
}
