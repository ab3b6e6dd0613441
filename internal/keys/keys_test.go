package keys

import (
	"bytes"
	"encoding/base64"
	"testing"
)

func vault(t *testing.T) *Vault {
	v, err := NewVault(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSealedValueOpensOnlyInItsPlace(t *testing.T) {
	v := vault(t)
	sealed := v.Seal("house", "account.phone/1", []byte("13800000000"))
	if plain, err := v.Open("house", "account.phone/1", sealed); err != nil || string(plain) != "13800000000" {
		t.Fatalf("%q, %v", plain, err)
	}
	if _, err := v.Open("house", "account.phone/2", sealed); err == nil {
		t.Error("opened in another row")
	}
	if _, err := v.Open("other", "account.phone/1", sealed); err == nil {
		t.Error("opened in another institution")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := v.Open("house", "account.phone/1", sealed); err == nil {
		t.Error("opened after a change")
	}
}

func TestMasterKeyIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	a, err := OpenVault(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenVault(dir)
	if err != nil || !bytes.Equal(a.master, b.master) {
		t.Fatalf("second opening: %v", err)
	}
}

func TestBadMasterKeyIsNamed(t *testing.T) {
	if _, err := NewVault("short"); err == nil {
		t.Fatal("accepted")
	}
}
