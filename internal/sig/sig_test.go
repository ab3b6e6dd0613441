package sig

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of GB/T 32918.5-2017 annex A.2, on the recommended curve with the default user id.
const (
	vectorMessage = "message digest"
	vectorPrivate = "3945208F 7B2144B1 3F36E38A C6D39F95 88939369 2860B51A 42FB81EF 4DF7C5B8"
	vectorPublic  = "04 09F9DF31 1E5421A1 50DD7D16 1E4BC5C6 72179FAD 1833FC07 6BB08FF3 56F35020 CCEA490C E26775A5 2DC6EA71 8CC1AA60 0AED05FB F35E084A 6632F607 2DA9AD13"
	vectorZ       = "B2E14C5C 79C6DF5B 85F4FE7E D8DB7A26 2B9DA7E0 7CCB0EA9 F4747B8C CDA8A4F3"
	vectorE       = "F0B43E94 BA45ACCA ACE692ED 534382EB 17E6AB5A 19CE7B31 F4486FDF C0D28640"
	vectorR       = "F5A03B06 48D2C463 0EEAC513 E1BB81A1 5944DA38 27D5B741 43AC7EAC EEE720B3"
	vectorS       = "B1B6AA29 DF212FD8 763182BC 0D421CA1 BB9038FD 1F7F42D4 840B69C4 85BBC1AA"
)

func TestVectorsOfTheNorm(t *testing.T) {
	key, err := Restore(SM2, unhex(t, vectorPrivate))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key.Public(), unhex(t, vectorPublic)) {
		t.Errorf("public key %X", key.Public())
	}
	z, err := sm2.CalculateZA(&key.sm2.PublicKey, userID)
	if err != nil || !bytes.Equal(z, unhex(t, vectorZ)) {
		t.Errorf("Z %X, %v", z, err)
	}
	if e := SM3(append(z, vectorMessage...)); !bytes.Equal(e[:], unhex(t, vectorE)) {
		t.Errorf("e %X", e)
	}
	r, s := unhex(t, vectorR), unhex(t, vectorS)
	if err := VerifyCompact(SM2, key.Public(), []byte(vectorMessage), append(bytes.Clone(r), s...)); err != nil {
		t.Error(err)
	}
	full, _ := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})
	if err := Verify(SM2, key.Public(), []byte(vectorMessage), full); err != nil {
		t.Error(err)
	}
	// GB/T 32905-2016 annex A
	for message, sum := range map[string]string{
		"abc":                      "66C7F0F4 62EEEDD9 D1F2D46B DC10E4E2 4167C487 5CF2F7A2 297DA02B 8F4BA8E0",
		strings.Repeat("abcd", 16): "DEBE9FF9 2275B8A1 38604889 C18E5A4D 6FDB70E5 387E5765 293DCBA3 9C0C5732",
	} {
		if got := SM3([]byte(message)); !bytes.Equal(got[:], unhex(t, sum)) {
			t.Errorf("SM3(%.3s…) = %X", message, got)
		}
	}
	// RFC 8032 §7.1, test 1
	ed, err := Restore(Ed25519, unhex(t, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := ed.Sign(nil); hex.EncodeToString(got) != "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" {
		t.Errorf("Ed25519 %x", got)
	}
}

func TestSignedIsVerifiedAndNothingElse(t *testing.T) {
	for _, alg := range []string{SM2, Ed25519} {
		t.Run(alg, func(t *testing.T) {
			key, err := Generate(alg)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Restore(alg, key.Private())
			if err != nil || !bytes.Equal(again.Public(), key.Public()) || key.Alg() != alg {
				t.Fatalf("restored another key: %v", err)
			}
			document := []byte(`{"a":"地尔硫䓬"}`)
			signature, err := key.Sign(document)
			if err != nil {
				t.Fatal(err)
			}
			compact, err := Compact(alg, signature)
			if err != nil || len(compact) != CompactSize {
				t.Fatalf("%d bytes, %v", len(compact), err)
			}
			public := key.Public()
			if err := Verify(alg, public, document, signature); err != nil {
				t.Error(err)
			}
			if err := VerifyCompact(alg, public, document, compact); err != nil {
				t.Error(err)
			}
			for _, of := range [][]byte{document, signature, public, compact} {
				for i := range of {
					of[i] ^= 1
					first, second := Verify(alg, public, document, signature), VerifyCompact(alg, public, document, compact)
					of[i] ^= 1
					if first == nil && second == nil {
						t.Fatalf("byte %d of %d may change", i, len(of))
					}
				}
			}
			other, _ := Generate(alg)
			if Verify(alg, other.Public(), document, signature) == nil {
				t.Error("another's key")
			}
			if Verify(map[string]string{SM2: Ed25519, Ed25519: SM2}[alg], key.Public(), document, signature) == nil || Verify("none", key.Public(), document, signature) == nil {
				t.Error("another algorithm")
			}
		})
	}
	for story, private := range map[string][]byte{"none": make([]byte, 32), "too large": bytes.Repeat([]byte{0xff}, 32), "short": {1}} {
		if _, err := Restore(SM2, private); err == nil {
			t.Errorf("%s: a key", story)
		}
	}
}

// What another library signed (OpenSSL 3.0: pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:1234567812345678).
func TestOpenSSLsSignature(t *testing.T) {
	public := unhex(t, "042223e7516e4c29117811229e44b169a23b921abc66e8e120d4a38c5afadf3552167874fc788c139c3ad217cbad7dd09648c22b646e2854d7cd9887c705dc9407")
	signature := unhex(t, "30460221009c3cbc32b82b3e791afa6d543ba32676b27dcd3eda16ec66fa546d100fe2191b022100ee50e57c579e205f94cca955c0fd27098f803987216ce4564eeaa435f0610e12")
	if err := Verify(SM2, public, []byte("处方：地尔硫䓬片"), signature); err != nil {
		t.Error(err)
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range []string{SM2, Ed25519} {
		key, err := Generate(alg)
		if err != nil {
			b.Fatal(err)
		}
		document := bytes.Repeat([]byte("x"), 2000)
		b.Run(alg, func(b *testing.B) {
			for b.Loop() {
				key.Sign(document)
			}
		})
	}
}
