// Package keys holds the house's secrets: one master key from which the keys for
// sealing, finding, tickets and the audit log are derived, and the signing keys of
// practitioners, each wrapped under its holder's own passphrase.
package keys

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"yuanzhen/internal/ids"
)

// Vault derives every other secret from one master key of 32 bytes (RFC 5869).
type Vault struct{ master []byte }

// NewVault takes a master key as 32 bytes in base64.
func NewVault(encoded string) (*Vault, error) {
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || len(master) != 32 {
		return nil, fmt.Errorf("the master key must be 32 bytes in base64 (make one: head -c 32 /dev/urandom | base64)")
	}
	return &Vault{master}, nil
}

// OpenVault reads the master key of a data folder and makes one at the first run.
// Whoever loses this file loses every sealed thing in the folder.
func OpenVault(dir string) (*Vault, error) {
	file := filepath.Join(dir, "master.key")
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		key := make([]byte, 32)
		rand.Read(key)
		text = []byte(base64.StdEncoding.EncodeToString(key) + "\n")
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return nil, err
	}
	v, err := NewVault(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return v, nil
}

func (v *Vault) derive(purpose string, n int) []byte {
	key, err := hkdf.Key(sha256.New, v.master, nil, "yuanzhen/"+purpose, n)
	if err != nil {
		panic(err) // only for an impossible length
	}
	return key
}

// Signer is the Ed25519 key for one purpose, such as "ticket" or "audit".
func (v *Vault) Signer(purpose string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(v.derive("sign/"+purpose, ed25519.SeedSize))
}

// Secret is a shared secret for one purpose, such as "turn".
func (v *Vault) Secret(purpose string) []byte { return v.derive("secret/"+purpose, 32) }

// Seal encrypts with AES-256-GCM under the key of the scope (an institution, or
// "house"); aad names the place where the value belongs (table, column, row), so
// that a value moved elsewhere does not open.
func (v *Vault) Seal(scope, aad string, plain []byte) []byte {
	gcm := v.gcm(scope)
	nonce := make([]byte, gcm.NonceSize(), gcm.NonceSize()+len(plain)+gcm.Overhead())
	rand.Read(nonce)
	return gcm.Seal(nonce, nonce, plain, []byte(aad))
}

// Open reverses Seal.
func (v *Vault) Open(scope, aad string, sealed []byte) ([]byte, error) {
	gcm := v.gcm(scope)
	if len(sealed) < gcm.NonceSize() {
		return nil, fmt.Errorf("sealed value of %s is too short", aad)
	}
	plain, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], []byte(aad))
	if err != nil {
		return nil, fmt.Errorf("sealed value of %s does not open: wrong master key, or altered", aad)
	}
	return plain, nil
}

func (v *Vault) gcm(scope string) cipher.AEAD {
	block, err := aes.NewCipher(v.derive("seal/"+scope, 32))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// Lookup is a keyed hash to find a sealed value by, such as a phone number: of no
// use to who holds the database alone.
func (v *Vault) Lookup(kind, value string) []byte {
	h := hmac.New(sha256.New, v.derive("lookup/"+kind, 32))
	h.Write([]byte(value))
	return h.Sum(nil)
}

// Institutional seals with each institution's own key: what the object store wraps
// its data keys with.
type Institutional struct{ Vault *Vault }

// Seal encrypts under the institution's key.
func (k Institutional) Seal(_ context.Context, place ids.Institution, plain, aad []byte) ([]byte, error) {
	return k.Vault.Seal("institution/"+place.String(), string(aad), plain), nil
}

// Open reverses Seal.
func (k Institutional) Open(_ context.Context, place ids.Institution, sealed, aad []byte) ([]byte, error) {
	return k.Vault.Open("institution/"+place.String(), string(aad), sealed)
}
