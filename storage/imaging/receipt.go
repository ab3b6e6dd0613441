package imaging

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/ids"
	"yuanzhen/storage/imaging/dicom"
)

// heldInstance is an object that the institution holds, with the digest of its bytes as they came.
type heldInstance struct {
	SOP      string    `json:"sop_uid"`
	SHA256   string    `json:"sha256"`
	Size     int64     `json:"size"`
	StoredAt time.Time `json:"stored_at"`
}

// holding is what a receipt says.
type holding struct {
	Institution ids.Institution `json:"institution_id"`
	Study       string          `json:"study_uid"`
	IssuedAt    time.Time       `json:"issued_at"`
	Instances   []heldInstance  `json:"instances"`
}

type receiptIn struct {
	Study       string `path:"study" maxLength:"64"`
	Institution string `query:"institution" doc:"for which institution, where the asker practises at several"`
}

// receiptOut carries the receipt as text, so that the signed bytes survive whatever parses the answer.
type receiptOut struct {
	Body struct {
		Receipt   string           `json:"receipt" doc:"the signed bytes: a JSON document"`
		Signature receiptSignature `json:"signature"`
	}
}

type receiptSignature struct {
	Alg   string `json:"alg" doc:"Ed25519 (RFC 8032)"`
	KeyID string `json:"key_id"`
	Sig   []byte `json:"sig"`
}

func (s *Service) receipt(ctx context.Context, in *receiptIn) (*receiptOut, error) {
	if !dicom.ValidUID(in.Study) {
		return nil, badUID
	}
	place, err := placeOf(authz.ScopeFrom(ctx), in.Institution)
	if err != nil {
		return nil, err
	}
	h := holding{Institution: place, Study: in.Study, IssuedAt: s.Now().UTC()}
	if h.Instances, err = s.held(ctx, place, in.Study); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	out := &receiptOut{}
	out.Body.Receipt = string(doc)
	out.Body.Signature = receiptSignature{"Ed25519", s.receiptKeyID(), ed25519.Sign(s.Signer, doc)}
	return out, nil
}

func (s *Service) receiptKeyID() string {
	sum := sha256.Sum256(s.Signer.Public().(ed25519.PublicKey))
	return hex.EncodeToString(sum[:8])
}

type receiptKeyOut struct {
	Body struct {
		Alg    string `json:"alg" doc:"Ed25519 (RFC 8032)"`
		KeyID  string `json:"key_id"`
		Public []byte `json:"public_key"`
	}
}

func (s *Service) receiptKey(context.Context, *struct{}) (*receiptKeyOut, error) {
	out := &receiptKeyOut{}
	out.Body.Alg, out.Body.KeyID, out.Body.Public = "Ed25519", s.receiptKeyID(), s.Signer.Public().(ed25519.PublicKey)
	return out, nil
}
