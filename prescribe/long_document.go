package prescribe

import (
	"context"
	"io"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// NewLongDocument is what an administrator files: a document of the province or city that lets the hospital write long
// prescriptions above the 84 days of the national norm (RXE-17). Its paper was uploaded before.
type NewLongDocument struct {
	Institution ids.Institution `json:"institution_id"`
	Title       string          `json:"title" minLength:"1" maxLength:"200"`
	Number      string          `json:"number" minLength:"1" maxLength:"100" doc:"文号"`
	Issuer      string          `json:"issuer" minLength:"1" maxLength:"100"`
	MaxDays     int             `json:"max_days" minimum:"85" maximum:"90"`
	ValidFrom   string          `json:"valid_from" format:"date"`
	ValidUntil  string          `json:"valid_until" format:"date"`
	SHA256      string          `json:"sha256" pattern:"^[0-9a-f]{64}$" doc:"of the paper, as its upload answered"`
}

// LongDocument as it is kept. Whether it counts today is computed.
type LongDocument struct {
	ID            ids.LongDocument `json:"id"`
	InstitutionID ids.Institution  `json:"institution_id"`
	Institution   string           `json:"institution"`
	Title         string           `json:"title"`
	Number        string           `json:"number"`
	Issuer        string           `json:"issuer"`
	MaxDays       int              `json:"max_days"`
	ValidFrom     time.Time        `json:"valid_from"`
	ValidUntil    time.Time        `json:"valid_until"`
	SHA256        string           `json:"sha256" db:"sha256"`
	State         string           `json:"state" enum:"filed,waiting,valid,expired,withdrawn" doc:"filed: waits for a second administrator; waiting: its first day is to come"`
	FiledBy       string           `json:"filed_by"`
	ApprovedBy    *string          `json:"approved_by,omitempty"`
	WithdrawnBy   *string          `json:"withdrawn_by,omitempty"`
}

// FileLongDocument enters a document; until somebody else has read and approved it, it permits nothing.
func (s *Service) FileLongDocument(ctx context.Context, n NewLongDocument) (LongDocument, error) {
	id := ids.New[ids.LongDocument]()
	return s.longDocumentDeed(ctx, id, func(tx tx) error {
		if n.ValidUntil < n.ValidFrom || n.ValidUntil < dayOf(s.Now()) {
			return fault.New(fault.Invalid, "dates_wrong", "有效期不对：止期早于起期，或已经过去。", "The dates are wrong: it ends before it begins, or has ended.").
				WithRemedy("请看文件上的日期。", "Look at the dates on the paper.")
		}
		if kept, err := selectPaper(ctx, tx, n.SHA256); err != nil || kept.ObjectKey == "" {
			return orNoPaper(err)
		}
		return insertLongDocument(ctx, tx, id, n, authz.SubjectFrom(ctx).Account, s.Now())
	})
}

// ApproveLongDocument is the second person's: never by who filed it.
func (s *Service) ApproveLongDocument(ctx context.Context, id ids.LongDocument) (LongDocument, error) {
	return s.longDocumentDeed(ctx, id, func(tx tx) error {
		approved, err := approveLongDocument(ctx, tx, id, authz.SubjectFrom(ctx).Account, s.Now())
		if err == nil && !approved {
			err = fault.New(fault.Conflict, "cannot_approve", "您不能批准：须由登记人以外的管理员批准，且文件没有撤回、没有批准过。",
				"You can't approve this: an administrator other than who filed it does, once, while it isn't withdrawn.").
				WithRemedy("请由另一位管理员批准。", "Ask another administrator.")
		}
		return err
	})
}

// WithdrawLongDocument ends it at once; what was signed under it stands.
func (s *Service) WithdrawLongDocument(ctx context.Context, id ids.LongDocument) (LongDocument, error) {
	return s.longDocumentDeed(ctx, id, func(tx tx) error {
		ended, err := withdrawLongDocument(ctx, tx, id, authz.SubjectFrom(ctx).Account, s.Now())
		if err == nil && !ended {
			err = fault.Missing()
		}
		return err
	})
}

// longDocumentDeed does one deed on a document within the scope and reads it back; outside the scope nothing is kept.
func (s *Service) longDocumentDeed(ctx context.Context, id ids.LongDocument, deed func(tx tx) error) (d LongDocument, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if err := deed(tx); err != nil {
			return err
		}
		list, err := selectLongDocuments(ctx, tx, authz.ScopeFrom(ctx).Places(), id, s.Now())
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fault.Missing()
		}
		d = list[0]
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: "long_document/" + id.String(), Place: d.InstitutionID, Reason: d.State})
	})
	return d, err
}

// LongDocuments of the reader's institutions, newest first.
func (s *Service) LongDocuments(ctx context.Context) ([]LongDocument, error) {
	return selectLongDocuments(ctx, s.DB, authz.ScopeFrom(ctx).Places(), ids.LongDocument{}, s.Now())
}

// LongDocumentPaper opens the paper of one.
func (s *Service) LongDocumentPaper(ctx context.Context, id ids.LongDocument) (kept keptPaper, file io.ReadCloser, err error) {
	list, err := selectLongDocuments(ctx, s.DB, authz.ScopeFrom(ctx).Places(), id, s.Now())
	if err != nil {
		return kept, nil, err
	}
	if len(list) == 0 {
		return kept, nil, fault.Missing()
	}
	return s.openPaper(ctx, list[0].SHA256, "long_document/"+id.String(), list[0].InstitutionID)
}

// keptPaper is an uploaded paper of the house, named by its hash.
type keptPaper struct {
	ContentType string
	Size        int64
	ObjectKey   string
}

// openPaper opens what an object names; the reading is recorded.
func (s *Service) openPaper(ctx context.Context, sha256, object string, place ids.Institution) (kept keptPaper, file io.ReadCloser, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if kept, err = selectPaper(ctx, tx, sha256); err != nil || kept.ObjectKey == "" {
			return orNoPaper(err)
		}
		return audit.Write(ctx, tx, audit.Entry{Action: authz.ScopeFrom(ctx).Action, Object: object, Place: place, Reason: "paper " + sha256})
	})
	if err != nil {
		return kept, nil, err
	}
	file, err = s.Files.Get(ctx, kept.ObjectKey)
	return kept, file, err
}

func orNoPaper(err error) error {
	if err != nil {
		return err
	}
	return fault.New(fault.Invalid, "paper_missing", "没有收到这份材料的扫描件。", "The paper was not uploaded.").
		WithRemedy("请先上传扫描件（PDF 或照片）。", "Upload the scan (PDF or photo) first.")
}
