package keys

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/emmansun/gmsm/smx509"

	"yuanzhen/internal/sig"
)

// CA is a licensed provider of electronic certification (Electronic Signature Law Art. 16 to 25). A port, because each
// hospital has its own: SM2 certificates are theirs to give, and theirs to take back.
type CA interface {
	// Certify answers a PKCS #10 request with an X.509 certificate, both DER. The provider may shorten the time.
	Certify(ctx context.Context, request []byte, from, until time.Time) ([]byte, error)
	// Revoke ends a certificate: "superseded", "key_compromise" or "ended".
	Revoke(ctx context.Context, certificate []byte, reason string) error
	// Root is the certificate under which all others stand, DER.
	Root() []byte
}

// subject is who a certificate names.
type subject struct{ Name, Organization, ID string }

// certify asks for a certificate and believes nothing of the answer that it can check.
func certify(ctx context.Context, ca CA, who subject, key sig.Key, from, until time.Time) ([]byte, error) {
	request, err := smx509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: who.Name, Organization: []string{who.Organization}, SerialNumber: who.ID}}, key.Crypto())
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	certificate, err := ca.Certify(ctx, request, from, until)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", who.ID, err)
	}
	parsed, err := parseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", who.ID, err)
	}
	err = sig.CheckCertificate(certificate, ca.Root(), sig.Certified{Alg: key.Alg(), Public: key.Public(), Holder: who.ID, From: parsed.NotBefore, Until: parsed.NotAfter})
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", who.ID, err)
	}
	return certificate, nil
}

// CheckRoot says whether a certificate (DER) can stand above others.
func CheckRoot(der []byte) error {
	c, err := parseCertificate(der)
	if err == nil && !c.IsCA {
		err = errors.New("not the certificate of an authority")
	}
	return err
}

func parseCertificate(der []byte) (*x509.Certificate, error) {
	c, err := smx509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return c.ToX509(), nil
}

// SimulatedCA certifies everybody: for the demo, and its name says so in every certificate. Production refuses to
// start with it.
type SimulatedCA struct {
	key  sig.Key
	root *x509.Certificate
}

// NewSimulatedCA makes the demo's authority; its key comes from the master key and stays the same.
func NewSimulatedCA(v *Vault) (*SimulatedCA, error) {
	key, err := sig.Restore(sig.SM2, v.derive("sign/simulated-ca", 32))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1),
		Subject:   pkix.Name{CommonName: "远诊演示证书（模拟，无法律效力） Simulated CA, no legal force", Organization: []string{"Yuanzhen demo"}},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2070, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	public, err := sig.PublicKey(sig.SM2, key.Public())
	if err != nil {
		return nil, err
	}
	der, err := smx509.CreateCertificate(rand.Reader, template, template, public, key.Crypto())
	if err != nil {
		return nil, err
	}
	root, err := parseCertificate(der)
	return &SimulatedCA{key, root}, err
}

// Root is the demo's root certificate.
func (ca *SimulatedCA) Root() []byte { return ca.root.Raw }

// Certify signs what is asked; the request must be signed by the key it names.
func (ca *SimulatedCA) Certify(_ context.Context, request []byte, from, until time.Time) ([]byte, error) {
	asked, err := smx509.ParseCertificateRequest(request)
	if err != nil {
		return nil, err
	}
	if err := asked.CheckSignature(); err != nil {
		return nil, err
	}
	serial := make([]byte, 16)
	rand.Read(serial)
	return smx509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), Subject: asked.Subject,
		NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment}, ca.root, asked.PublicKey, ca.key.Crypto())
}

// Revoke has nobody to tell.
func (ca *SimulatedCA) Revoke(_ context.Context, certificate []byte, _ string) error {
	c, err := parseCertificate(certificate)
	if err == nil && !bytes.Equal(c.RawIssuer, ca.root.RawSubject) {
		err = fmt.Errorf("a certificate of another authority")
	}
	return err
}

// Simulated marks the provider as a simulator on screen.
func (ca *SimulatedCA) Simulated() {}
