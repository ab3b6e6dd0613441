// Package imaging keeps the hospital's pictures and says who may see them.
//
// A study belongs to the institution that stored it. Its staff may see it; anybody else only under a Grant, given for
// one consult and a time, that lapses by itself. Objects come by STOW-RS (stow.go), are read once by the dicom package,
// and lie sealed in the object store; what QIDO-RS (qido.go) and the metadata of WADO-RS (wado.go) answer was put into
// Postgres at that moment, and frames come by ranged reads through the frame index, so no file is opened twice.
//
// An unknown study and one that the asker may not see are the same fault.NotFound. Every read and write leaves its
// audit entry in its own transaction.
package imaging

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/storage"
	"yuanzhen/storage/imaging/codec/worker"
	"yuanzhen/storage/imaging/dicom"
)

// Service holds what the deeds need; all exported fields are set at construction.
type Service struct {
	DB      *pg.Pool
	Objects storage.Objects
	Now     func() time.Time
	Log     *slog.Logger
	Public  string             // the house's address for links, "https://…"; empty: as each client has reached it
	Signer  ed25519.PrivateKey // of receipts
	Decoder *worker.Pool       // of compressed frames
	Quota   int64              // bytes that an institution may hold where its administrator has set no other limit; 0: no limit
	Jobs    interface {        // where a whole upload's taking is put
		Insert(ctx context.Context, tx pgx.Tx, args river.JobArgs) error
	}
	drawn   drawings
	glances glances
	appends appends
}

// Study as lists show it.
type Study struct {
	ID               ids.Study       `json:"id"`
	InstitutionID    ids.Institution `json:"institution_id"`
	UID              string          `json:"study_uid"`
	PersonID         ids.Person      `json:"person_id"` // zero until a doctor has confirmed whose it is
	PatientName      string          `json:"patient_name"`
	PatientID        string          `json:"patient_id"`
	PatientSex       string          `json:"patient_sex"`
	PatientBirthDate string          `json:"patient_birth_date"`
	StudyDate        string          `json:"study_date"`
	Description      string          `json:"description"`
	Modalities       []string        `json:"modalities"`
	Series           []Series        `json:"series"`
	Instances        int             `json:"instances"`
	Bytes            int64           `json:"bytes"`
	Others           []OtherBytes    `json:"other_bytes" doc:"Second versions that were refused; to those who hold the study"`
}

// OtherBytes says that other bytes came under UIDs that are held.
type OtherBytes struct {
	From    string    `json:"from" doc:"Name of the account, of a person or a machine"`
	Objects int       `json:"objects"`
	At      time.Time `json:"at" doc:"The last of them"`
}

// Series of a Study.
type Series struct {
	UID         string `json:"series_uid"`
	Description string `json:"description"`
	Modality    string `json:"modality"`
	Instances   int    `json:"instances"`
}

// Grant opens studies to one practitioner or one patient, for one consult. Given by GrantStudies, ended by EndGrants
// or by Until, whichever is first.
type Grant struct {
	Teleconsult  ids.Teleconsult
	Place        ids.Institution  // whose studies they are
	Studies      []string         // study UIDs
	Practitioner ids.Practitioner // either this
	Person       ids.Person       // or this
	Purpose      string           // "teleconsult"
	From, Until  time.Time
}

// A Receipt says what became of one object that was handed in.
type Receipt struct {
	Study, Series, SOP, Class string // UIDs as far as they could be read
	Stored                    bool   // it is in the archive, now or already before
	Full                      bool   // refused because the institution holds as much as it may
	Doubt                     bool   // the file's header names another object; it is kept under what the data set says
	Reason                    uint16 // why not: PS3.4 table B.2-1, PS3.7 annex C
	Say                       fault.Text
}

var unreadable = map[dicom.Reason]string{
	dicom.NotUnderstood: "文件不完整或已损坏",
	dicom.TooMuch:       "文件超出安全上限",
	dicom.UnknownSyntax: "影像的压缩格式不认识",
}

const (
	notUnderstood  = uint16(dicom.NotUnderstood)
	noMatch        = 0xA900 // the data set contradicts itself, its study or the request
	duplicate      = 0x0111 // this UID is taken by other bytes
	ourFailure     = 0x0110 // processing failure
	outOfResources = 0xA700
)

// Store takes one DICOM file for the institution. The error is ours (a store or database away, a broken line); what
// is the file's fault stands in the receipt. The same bytes again are a success that writes nothing; other bytes under
// a known UID are refused and the first kept.
func (s *Service) Store(ctx context.Context, place ids.Institution, file io.ReadSeeker) (Receipt, error) {
	return s.store(ctx, place, "", file)
}

// store is Store for a sender who named the study, or "".
func (s *Service) store(ctx context.Context, place ids.Institution, study string, file io.ReadSeeker) (r Receipt, err error) {
	var orphan storage.Key // an object that certainly has no row
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if _, plain := cause.(runtime.Error); !plain { // those hold numbers alone
			cause = fmt.Sprintf("%T", cause)
		}
		s.Log.ErrorContext(ctx, "panic while an object was stored", "cause", cause, "stack", string(debug.Stack()))
		if orphan != "" {
			s.forget(ctx, orphan)
		}
		r, err = Receipt{Study: r.Study, Series: r.Series, SOP: r.SOP, Class: r.Class, Reason: ourFailure, Say: failure}, nil
	}()
	giveBack := func() {}
	defer func() { giveBack() }()
	f, err := dicom.ReadAsking(file, func() error {
		back, err := makeRoom(ctx, room)
		if err == nil {
			giveBack = back
		}
		return err
	})
	if p, ok := errors.AsType[*dicom.Problem](err); ok {
		r = receiptOf(f)
		r.Reason, r.Say = uint16(p.Reason), fault.Text{ZH: fmt.Sprintf("%s（第 %d 字节处）。", unreadable[p.Reason], p.Offset), EN: p.Error()}
		return r, nil
	} else if err != nil {
		return Receipt{}, err
	}
	r = receiptOf(f)
	if refuse(f, &r) {
		return r, nil
	}
	if study != "" && study != r.Study {
		r.Reason, r.Say = noMatch, fault.Text{ZH: "不属于请求的检查。", EN: "It belongs to another study than the request."}
		return r, nil
	}
	key := storage.NewKey(place)
	k, err := s.known(ctx, place, r, key)
	if err != nil {
		return r, err
	}
	if k.SHA256 != nil {
		return s.knownAs(ctx, place, r, k.SHA256, f.SHA256)
	}
	if f.Size > k.Room && !ours(ctx) { // before it goes to the store; keep decides
		return r.full(), nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return r, fmt.Errorf("read file again: %w", err)
	}
	orphan = key
	if err := s.put(ctx, key, file, f.Size); err != nil {
		return r, err
	}
	orphan = ""
	err = s.keep(ctx, place, f, k, key)
	if err == nil {
		r.Stored = true
		return r, nil
	}
	if pg.Unclear(err) { // a row without its object would be a lost image; without a row Tidy removes it
		s.Log.WarnContext(ctx, "not known whether an object got its row; it is left", "error", err.Error())
		return r, err
	}
	s.forget(ctx, key)
	switch {
	case errors.Is(err, errFaster):
		if k, err = s.known(ctx, place, r, ""); err != nil {
			return r, err
		}
		return s.knownAs(ctx, place, r, k.SHA256, f.SHA256)
	case errors.Is(err, errFull):
		return r.full(), nil
	case errors.Is(err, errOtherPatient):
		r.Reason, r.Say = noMatch, fault.Text{ZH: "这个检查号下已有另一位患者的影像。", EN: "Images of another patient lie under this Study Instance UID."}
		return r, nil
	}
	return r, err
}

var failure = fault.Text{ZH: "我们处理这个文件时出了错，没有存。请再传一次；还不行请把文件交给管理员。",
	EN: "We failed to process this file; it was not stored. Please send it again; if it goes on, give the file to the administrator."}

// put writes an object in far less time than after which Tidy takes it for left behind.
func (s *Service) put(ctx context.Context, key storage.Key, file io.Reader, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, strayAge/2)
	defer cancel()
	return s.Objects.Put(ctx, key, file, size)
}

// forget takes an object that got no row out of the store again.
func (s *Service) forget(ctx context.Context, key storage.Key) {
	if gone := s.dropStray(context.WithoutCancel(ctx), key); gone != nil {
		s.Log.WarnContext(ctx, "object without row left until it is tidied up", "error", gone.Error())
	}
}

// ours reports whether the house itself stores, not somebody who hands in.
func ours(ctx context.Context) bool { return authz.SubjectFrom(ctx) == nil }

func (r Receipt) full() Receipt {
	r.Reason, r.Full = outOfResources, true
	r.Say = fault.Text{ZH: quotaReached.Say.ZH + quotaReached.Remedy.ZH, EN: quotaReached.Say.EN + " " + quotaReached.Remedy.EN}
	return r
}

// receiptOf reads the UIDs, as far as f goes and they are valid.
func receiptOf(f *dicom.File) Receipt {
	uid := func(t dicom.Tag) string {
		if s := f.Data.Text(t); dicom.ValidUID(s) {
			return s
		}
		return ""
	}
	r := Receipt{Study: uid(dicom.StudyInstanceUID), Series: uid(dicom.SeriesInstanceUID),
		SOP: uid(dicom.SOPInstanceUID), Class: uid(dicom.SOPClassUID)}
	if r.Class == "" && f.Meta.Text(dicom.MediaStorageSOPClassUID) == mediaDirectory {
		r.Class = mediaDirectory
	}
	return r
}

// refuse tells whether a readable file can't be kept, and why.
func refuse(f *dicom.File, r *Receipt) bool {
	if r.Class == mediaDirectory {
		r.Reason, r.Say = noMatch, fault.Text{ZH: "这是光盘目录（DICOMDIR），不是影像。", EN: "This is a CD's table of contents (DICOMDIR), not an image."}
		return true
	}
	for _, u := range []struct{ uid, zh, en string }{
		{r.Study, "检查号", "Study Instance UID"},
		{r.Series, "序列号", "Series Instance UID"},
		{r.SOP, "影像号", "SOP Instance UID"},
		{r.Class, "影像类别号", "SOP Class UID"},
	} {
		if u.uid == "" {
			r.Reason, r.Say = noMatch, fault.Text{ZH: u.zh + "缺失或不合规。", EN: u.en + " is missing or not valid."}
			return true
		}
	}
	if meta := f.Meta.Text(dicom.MediaStorageSOPInstanceUID); meta != "" && meta != r.SOP {
		r.Doubt = true
	}
	return false
}

// knownAs answers for an object whose UID is already in the archive with the digest known. Other bytes are told to who holds the first too.
func (s *Service) knownAs(ctx context.Context, place ids.Institution, r Receipt, known []byte, sent [32]byte) (Receipt, error) {
	if r.Stored = string(known) == string(sent[:]); !r.Stored {
		a, b := hex.EncodeToString(known[:4]), hex.EncodeToString(sent[:4])
		r.Reason, r.Say = duplicate, fault.Text{
			ZH: fmt.Sprintf("同一影像号已有不同内容：保留先到的（sha256 %s…），未收这份（%s…）。", a, b),
			EN: fmt.Sprintf("This SOP Instance UID is taken by other bytes: kept sha256 %s…, refused %s…", a, b)}
		return r, s.noteConflicts(ctx, place, []string{r.SOP}, [][]byte{sent[:]})
	}
	return r, nil
}
