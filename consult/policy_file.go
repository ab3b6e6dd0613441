package consult

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// PolicyFile is an approval document as the house keeps it. A policy names it by the hash, so that it is the very file that
// was read; it is kept once, whoever sends it again.
type PolicyFile struct {
	SHA256      string    `json:"sha256" db:"sha256"`
	FileName    string    `json:"file_name"`
	ContentType string    `json:"content_type"`
	Size        int64     `json:"size"`
	KeptAt      time.Time `json:"kept_at"`

	ObjectKey string `json:"-"`
}

// KeepPolicyFile stores an approval document before a draft names it.
func (s *Service) KeepPolicyFile(ctx context.Context, name string, file []byte) (kept PolicyFile, err error) {
	places := authz.ScopeFrom(ctx).Places()
	kind := http.DetectContentType(file)
	switch {
	case len(places) == 0:
		return kept, fault.Missing()
	case len(file) == 0 || name == "" || utf8.RuneCountInString(name) > 200:
		return kept, fault.New(fault.Invalid, "file_missing", "没有收到文件。", "There is no file.").
			WithRemedy("请重新选择文件再上传。", "Please choose the file again.")
	case len(file) > maxEvidence:
		return kept, fault.New(fault.TooLarge, "file_too_large", "文件超过 10 MB。", "The file is larger than 10 MB.").
			WithRemedy("请用较低的分辨率扫描。", "Please scan it at a lower resolution.")
	case !slices.Contains(evidenceTypes, kind):
		return kept, fault.New(fault.Unsupported, "file_type", "批文须为 PDF 或照片（JPEG、PNG）。", "The document has to be a PDF or a photo (JPEG, PNG).").
			WithRemedy("请扫描成 PDF。", "Please scan it to PDF.")
	}
	sum := sha256.Sum256(file)
	hash := hex.EncodeToString(sum[:])
	if err = s.inTx(ctx, func(tx tx) error {
		kept, err = selectPolicyFile(ctx, tx, hash)
		return err
	}); err != nil || kept.SHA256 != "" {
		return kept, err
	}
	key, err := s.Files.Put(ctx, places[0], bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return kept, err
	}
	err = s.inTx(ctx, func(tx tx) error {
		fresh := PolicyFile{hash, name, kind, int64(len(file)), s.Now(), key}
		if err := insertPolicyFile(ctx, tx, fresh, places[0], authz.SubjectFrom(ctx).Account); err != nil {
			return err
		}
		if kept, err = selectPolicyFile(ctx, tx, hash); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "policy.keep_file", Object: "policy_file/" + hash, Place: places[0]})
	})
	if err != nil || kept.ObjectKey != key { // nothing names the file: somebody has just kept the same one, or it failed
		s.unnamed(ctx, err, key)
	}
	return kept, err
}

// PolicyFile opens the approval document of a version within the scope.
func (s *Service) PolicyFile(ctx context.Context, id ids.Policy) (f PolicyFile, file io.ReadCloser, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		p, err := s.policy(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.File == nil {
			return fault.Missing()
		}
		f = *p.File
		return audit.Write(ctx, tx, audit.Entry{Action: "policy.read", Object: "policy/" + id.String(), Reason: "approval document"})
	})
	if err != nil {
		return f, nil, err
	}
	file, err = s.Files.Get(ctx, f.ObjectKey)
	return f, file, err
}
