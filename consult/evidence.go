package consult

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"yuanzhen/consult/eligibility"
	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/live"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/photo"
)

// Evidence is a record of an earlier diagnosis at a hospital (细 Art. 18): uploaded, or found where a hospital keeps its own
// (evidence_records.go). An uploaded file is stored before its row; a file without row is seen by nobody.
type Evidence struct {
	ID              ids.Evidence `json:"id"`
	PersonID        ids.Person   `json:"person_id"`
	ICD10           string       `json:"icd10" db:"icd10"`
	DxDate          string       `json:"dx_date" format:"date"`
	Source          string       `json:"source" enum:"physical,online"`
	InstitutionName string       `json:"institution_name"`
	DocType         string       `json:"doc_type"`
	Verify          string       `json:"verify" enum:"pending,verified,rejected,self_declared"`
	VerifiedAt      *time.Time   `json:"verified_at,omitempty"`
	Note            string       `json:"note,omitempty"`
	FileName        string       `json:"file_name"`
	ContentType     string       `json:"content_type"`
	Size            int64        `json:"size"`
	Origin          string       `json:"origin" enum:"upload,hospital_record,visit_record" doc:"Only an upload has a file"`
	Doctor          string       `json:"doctor,omitempty" doc:"Who signed it; not of an upload"`

	ObjectKey     string          `json:"-"`
	InstitutionID ids.Institution `json:"-"`
	AccountID     ids.Account     `json:"-"`
}

// maxEvidence is a phone's photo at full size, or a scan of some twenty pages.
const maxEvidence = 10 << 20

// evidenceTypes are what http.DetectContentType finds in the bytes; what the sender says of them is not believed.
var evidenceTypes = []string{"image/jpeg", "image/png", "application/pdf"}

// docTypes are the papers that carry a diagnosis.
var docTypes = []string{"门诊病历", "住院病历", "出院小结", "诊断证明", "检查报告"}

// NewEvidence is an upload.
type NewEvidence struct {
	Person          ids.Person
	ICD10           string
	DxDate          string
	InstitutionName string
	DocType         string
	FileName        string
	File            []byte
	RequestKey      string
}

func (n NewEvidence) check(today eligibility.Day) error {
	wrong := func(code, zh, en string) error {
		return fault.New(fault.Invalid, code, zh, en).WithRemedy("请改正后再上传。", "Please correct it and upload again.")
	}
	day, err := eligibility.ParseDay(n.DxDate)
	switch {
	case err != nil || day > today:
		return wrong("dx_date_wrong", "诊断日期不对，应是今天或以前的日期。", "The date of the diagnosis is not a date up to today.")
	case !knownICD10(n.ICD10):
		return wrong("icd10_unknown", "没有这个诊断编码。", "There is no such diagnosis code.")
	case !slices.Contains(docTypes, n.DocType):
		return wrong("doc_type_unknown", "请选择资料的种类。", "Please choose the kind of paper.")
	case n.InstitutionName == "" || utf8.RuneCountInString(n.InstitutionName) > 200:
		return wrong("institution_missing", "请填写看病的医院，不超过 200 字。", "Please name the hospital of the diagnosis in up to 200 characters.")
	case utf8.RuneCountInString(n.FileName) > 200:
		return wrong("file_name_long", "文件名太长，请改短后再上传。", "The file's name is too long; please shorten it and upload again.")
	case len(n.File) == 0:
		return wrong("file_missing", "没有收到文件。", "There is no file.")
	case len(n.File) > maxEvidence:
		return fault.New(fault.TooLarge, "file_too_large", "文件超过 10 MB。", "The file is larger than 10 MB.").
			WithRemedy("请把照片调小，或分几次上传。", "Make the photo smaller, or upload in parts.")
	case !slices.Contains(evidenceTypes, http.DetectContentType(n.File)):
		return fault.New(fault.Unsupported, "file_type", "只能上传照片（JPEG、PNG）或 PDF。", "Only photos (JPEG, PNG) or PDF can be uploaded.").
			WithRemedy("请重新拍照，或转成 PDF。", "Please take a photo, or convert it to PDF.")
	}
	return nil
}

var brokenPhoto = fault.New(fault.Invalid, "photo_broken", "照片不完整或已损坏。", "The photo is cut off or broken.").
	WithRemedy("请重新拍照，或选择另一张。", "Please take it again, or choose another.")

// AddEvidence stores a record for checking. The same upload sent twice is one record.
func (s *Service) AddEvidence(ctx context.Context, n NewEvidence) (e Evidence, err error) {
	if err := n.check(eligibility.DayOf(s.Now().In(china))); err != nil {
		return Evidence{}, err
	}
	var whole bool
	if n.File, whole = photo.Clean(n.File); !whole {
		return Evidence{}, brokenPhoto
	}
	account := authz.SubjectFrom(ctx).Account
	var place ids.Institution
	err = s.inTx(ctx, func(tx tx) error {
		if err := s.mayActFor(ctx, tx, n.Person); err != nil {
			return err
		}
		if e, err = evidenceOfRequest(ctx, tx, account, n.RequestKey); err != nil {
			return err
		}
		place, err = checkingPlace(ctx, tx, n.ICD10)
		return err
	})
	if err != nil || !e.ID.IsZero() {
		return e, err
	}
	key, err := s.Files.Put(ctx, place, bytes.NewReader(n.File), int64(len(n.File)))
	if err != nil {
		return Evidence{}, err
	}
	sum := sha256.Sum256(n.File)
	id := ids.New[ids.Evidence]()
	err = s.inTx(ctx, func(tx tx) error {
		if err := insertEvidence(ctx, tx, id, n, account, place, key, http.DetectContentType(n.File), sum[:], s.Now()); err != nil {
			return err
		}
		if e, err = oneEvidence(ctx, tx, authz.ScopeFrom(ctx), id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "evidence.add", Object: "evidence/" + id.String(), Person: n.Person, Place: place})
	})
	if err != nil {
		s.unnamed(ctx, err, key)
	}
	if pg.Violates(err, "evidence_account_id_request_key_key") { // the same upload, sent again while this one was on its way
		err = s.inTx(ctx, func(tx tx) error {
			e, err = evidenceOfRequest(ctx, tx, account, n.RequestKey)
			return err
		})
		return e, err
	}
	if err != nil {
		return Evidence{}, err
	}
	s.tellEvidence(e)
	return e, nil
}

// Evidence lists the records of a person.
func (s *Service) Evidence(ctx context.Context, person ids.Person) (list []Evidence, err error) {
	if person.IsZero() { // would filter nothing
		return nil, fault.Missing()
	}
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = selectEvidence(ctx, tx, authz.ScopeFrom(ctx), evidenceFilter{Person: person}); err != nil {
			return err
		}
		if len(list) == 0 {
			if err := personInReach(ctx, tx, authz.ScopeFrom(ctx), person); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "evidence.read", Object: "person/" + person.String(), Person: person})
	})
	return list, err
}

// EvidenceFile opens the file of a record.
func (s *Service) EvidenceFile(ctx context.Context, id ids.Evidence) (e Evidence, file io.ReadCloser, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if e, err = oneEvidence(ctx, tx, authz.ScopeFrom(ctx), id); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "evidence.read", Object: "evidence/" + id.String(), Person: e.PersonID, Place: e.InstitutionID})
	})
	if err != nil {
		return e, nil, err
	}
	file, err = s.Files.Get(ctx, e.ObjectKey)
	return e, file, err
}

// QueuedEvidence is a record that waits for its check.
type QueuedEvidence struct {
	Evidence
	Person   Patient `json:"person"`
	WaitingS int     `json:"waiting_s"`
}

// EvidenceQueue lists what waits at the places of the scope, the longest first.
func (s *Service) EvidenceQueue(ctx context.Context) (list []QueuedEvidence, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		if list, err = selectEvidenceQueue(ctx, tx, authz.ScopeFrom(ctx), s.Now()); err != nil {
			return err
		}
		for _, e := range list {
			entry := audit.Entry{Action: "evidence.verify", Object: "evidence/" + e.ID.String(), Person: e.PersonID, Place: e.InstitutionID, Reason: "queue"}
			if err := audit.Write(ctx, tx, entry); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// EvidenceCheck is what the checker found on the paper.
type EvidenceCheck struct {
	Result string `json:"result" enum:"verified,rejected"`
	ICD10  string `json:"icd10" maxLength:"10" doc:"The diagnosis as it stands on the paper"`
	DxDate string `json:"dx_date" format:"date"`
	Note   string `json:"note,omitempty" maxLength:"500"`
}

// VerifyEvidence settles a pending record with what stands on the paper.
func (s *Service) VerifyEvidence(ctx context.Context, id ids.Evidence, c EvidenceCheck) (e Evidence, err error) {
	day, err := eligibility.ParseDay(c.DxDate)
	if err != nil || day > eligibility.DayOf(s.Now().In(china)) || !knownICD10(c.ICD10) {
		return Evidence{}, fault.New(fault.Invalid, "check_incomplete", "诊断编码或日期不对。", "Code or date of the diagnosis is not right.").
			WithRemedy("请按病历原件填写。", "Please take both from the paper.")
	}
	if c.Result == "rejected" && strings.TrimSpace(c.Note) == "" {
		return Evidence{}, fault.New(fault.Invalid, "reason_missing", "请写明为什么不能用。", "Please say why it can't be used.").
			WithRemedy("一句话即可，患者会看到。", "A sentence will do; the patient reads it.")
	}
	err = s.inTx(ctx, func(tx tx) error {
		if e, err = oneEvidence(ctx, tx, authz.ScopeFrom(ctx), id); err != nil {
			return err
		}
		settled, err := settleEvidence(ctx, tx, id, c, authz.SubjectFrom(ctx).Account, s.Now())
		if err == nil && !settled {
			err = fault.New(fault.Conflict, "evidence_settled", "这份资料已经审核过了。", "This record has already been checked.").
				WithRemedy("请刷新列表。", "Please refresh the list.")
		}
		if err != nil {
			return err
		}
		e, err = oneEvidence(ctx, tx, authz.ScopeFrom(ctx), id)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Action: "evidence.verify", Object: "evidence/" + id.String(), Person: e.PersonID, Place: e.InstitutionID, Reason: c.Result})
	})
	if err == nil {
		s.tellEvidence(e)
	}
	return e, err
}

func (s *Service) tellEvidence(e Evidence) {
	s.Live.Publish(live.Event{Kind: "evidence.changed", ID: e.ID.String(), Accounts: []ids.Account{e.AccountID}, Places: []ids.Institution{e.InstitutionID}})
}
