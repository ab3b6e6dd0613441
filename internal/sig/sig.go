// Package sig has the two ways in which documents are signed: SM2 with SM3, which Chinese law knows (the default), and
// Ed25519, for other countries and for everything signed before.
//
// SM2 is GB/T 32918.2-2016 on the recommended curve, with the default user id of GM/T 0009-2012 and, as the signature,
// the ASN.1 of the same norm: what GmSSL and OpenSSL (-digest sm3 -pkeyopt distid:1234567812345678) read and write.
package sig

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/ecdh"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
)

// Names of the algorithms, as envelopes, certificates, key lists and codes say them.
const (
	SM2     = "SM2"     // SM2 with SM3: OID 1.2.156.10197.1.501
	Ed25519 = "Ed25519" // RFC 8032
)

// userID is the distinguishing identifier that goes into each SM2 signature (GM/T 0009-2012 §10).
var userID = []byte("1234567812345678")

// CompactSize is the length of a signature without its ASN.1: r and s, or Ed25519's own form.
const CompactSize = 64

// Signer signs with one key. A key in a file of ours is one, a hospital's token or a remote service may be another.
type Signer interface {
	Alg() string
	Public() []byte
	Sign(document []byte) ([]byte, error)
}

// Key is a Signer whose private half is in memory.
type Key struct {
	sm2     *sm2.PrivateKey
	ed25519 ed25519.PrivateKey
}

// Generate makes a key.
func Generate(alg string) (Key, error) {
	private := make([]byte, 32)
	for {
		rand.Read(private)
		if key, err := Restore(alg, private); err == nil || alg != SM2 {
			return key, err // of SM2 one in 2^32 numbers is too large for the curve
		}
	}
}

// Restore reads a private key: 32 bytes, the number of SM2 or the seed of Ed25519.
func Restore(alg string, private []byte) (Key, error) {
	if len(private) != 32 {
		return Key{}, fmt.Errorf("private key of %d bytes, want 32", len(private))
	}
	switch alg {
	case Ed25519:
		return Key{ed25519: ed25519.NewKeyFromSeed(private)}, nil
	case SM2:
		curve := sm2.P256()
		d, most := new(big.Int).SetBytes(private), new(big.Int).Sub(curve.Params().N, big.NewInt(2))
		if d.Sign() == 0 || d.Cmp(most) > 0 { // GB/T 32918.1 §6.1: 1 to n-2
			return Key{}, errors.New("not a private key of SM2")
		}
		of, err := ecdh.P256().NewPrivateKey(private)
		if err != nil {
			return Key{}, fmt.Errorf("private key of SM2: %w", err)
		}
		return Key{sm2: &sm2.PrivateKey{PrivateKey: ecdsa.PrivateKey{PublicKey: *coordinates(of.PublicKey().Bytes()), D: d}}}, nil
	}
	return Key{}, fmt.Errorf("unknown algorithm %q", alg)
}

// Alg names the algorithm.
func (k Key) Alg() string {
	if k.sm2 != nil {
		return SM2
	}
	return Ed25519
}

// Public is the uncompressed point 04‖x‖y of SM2, or the 32 bytes of Ed25519.
func (k Key) Public() []byte {
	if k.sm2 != nil {
		return point(&k.sm2.PublicKey)
	}
	return k.ed25519.Public().(ed25519.PublicKey)
}

// Private is what Restore reads.
func (k Key) Private() []byte {
	if k.sm2 != nil {
		return k.sm2.D.FillBytes(make([]byte, 32))
	}
	return k.ed25519.Seed()
}

// Crypto is the key as certificates are made with it (crypto.Signer).
func (k Key) Crypto() any {
	if k.sm2 != nil {
		return k.sm2
	}
	return k.ed25519
}

// Sign signs a document.
func (k Key) Sign(document []byte) ([]byte, error) {
	if k.sm2 != nil {
		return k.sm2.SignWithSM2(rand.Reader, userID, document)
	}
	return ed25519.Sign(k.ed25519, document), nil
}

// Verify checks a signature over a document.
func Verify(alg string, public, document, signature []byte) error {
	key, err := PublicKey(alg, public)
	if err != nil {
		return err
	}
	fits := false
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		fits = sm2.VerifyASN1WithSM2(key, userID, document, signature)
	case ed25519.PublicKey:
		fits = ed25519.Verify(key, document, signature)
	}
	if !fits {
		return errors.New("the signature does not fit the document")
	}
	return nil
}

// PublicKey reads a public key as certificates hold it: *ecdsa.PublicKey or ed25519.PublicKey.
func PublicKey(alg string, public []byte) (any, error) {
	switch {
	case alg == Ed25519 && len(public) == ed25519.PublicKeySize:
		return ed25519.PublicKey(public), nil
	case alg == SM2 && len(public) == 65 && public[0] == 4:
		if _, err := ecdh.P256().NewPublicKey(public); err != nil {
			return nil, errors.New("not a public key of SM2")
		}
		return coordinates(public), nil
	}
	return nil, fmt.Errorf("unknown algorithm %q, or a key of another length", alg)
}

// PublicBytes reverses PublicKey.
func PublicBytes(key any) (alg string, public []byte, err error) {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if p, err := sm2.PublicKeyToECDH(key); err == nil {
			return SM2, p.Bytes(), nil
		}
	case ed25519.PublicKey:
		return Ed25519, key, nil
	}
	return "", nil, errors.New("a key of neither SM2 nor Ed25519")
}

// point writes a key as 04‖x‖y, coordinates reads it.
func point(key *ecdsa.PublicKey) []byte {
	p, err := sm2.PublicKeyToECDH(key)
	if err != nil {
		panic(err) // a key is made by Restore and PublicKey only, which have looked at it
	}
	return p.Bytes()
}

func coordinates(point []byte) *ecdsa.PublicKey {
	return &ecdsa.PublicKey{Curve: sm2.P256(), X: new(big.Int).SetBytes(point[1:33]), Y: new(big.Int).SetBytes(point[33:])}
}

// Compact writes a signature in CompactSize bytes, for codes that must be short.
func Compact(alg string, signature []byte) ([]byte, error) {
	if alg == SM2 {
		var parts struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(signature, &parts); err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("signature of SM2: %v, %d bytes too many", err, len(rest))
		}
		return append(parts.R.FillBytes(make([]byte, 32)), parts.S.FillBytes(make([]byte, 32))...), nil
	}
	return signature, nil
}

// VerifyCompact is Verify of a compact signature.
func VerifyCompact(alg string, public, document, compact []byte) error {
	if len(compact) != CompactSize {
		return errors.New("the signature has another length")
	}
	if alg == SM2 {
		full, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(compact[:32]), new(big.Int).SetBytes(compact[32:])})
		if err != nil {
			return err
		}
		return Verify(alg, public, document, full)
	}
	return Verify(alg, public, document, compact)
}

// SM3 is the hash of GB/T 32905-2016.
func SM3(document []byte) [32]byte { return sm3.Sum(document) }
