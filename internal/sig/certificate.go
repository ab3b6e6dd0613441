package sig

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Certified is what a certificate has to say of a key.
type Certified struct {
	Alg         string
	Public      []byte
	Holder      string // id of practitioner or institution: the subject's serialNumber
	From, Until time.Time
}

// CheckCertificate holds an X.509 certificate (DER) against the root it should stand under and against what it should
// say. Whether its time is over is another question: signatures outlive certificates.
func CheckCertificate(der, root []byte, want Certified) error {
	parent, err := smx509.ParseCertificate(root)
	if err != nil {
		return fmt.Errorf("root certificate: %w", err)
	}
	c, err := smx509.ParseCertificate(der)
	if err != nil {
		return errors.New("no longer a certificate")
	}
	if err := c.CheckSignatureFrom(parent); err != nil {
		return errors.New("of an authority nobody knows, or altered")
	}
	alg, public, err := PublicBytes(c.PublicKey)
	switch {
	case err != nil || alg != want.Alg || !bytes.Equal(public, want.Public):
		return errors.New("for another key")
	case c.Subject.SerialNumber != want.Holder:
		return errors.New("for somebody else")
	case !c.NotBefore.Equal(want.From) || !c.NotAfter.Equal(want.Until):
		return errors.New("for another time")
	}
	return nil
}
