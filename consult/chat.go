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

	"yuanzhen/internal/audit"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/photo"
	"yuanzhen/signaling/control"
)

// Message is something said or shown in a room. It is written once and kept with the visit or teleconsult; words and
// file names lie sealed with the institution's key, files like all other files.
type Message struct {
	ID   ids.Message  `json:"id"`
	Seat control.Seat `json:"seat"`
	Name string       `json:"name"`
	Role string       `json:"role"`
	At   time.Time    `json:"at"`
	Text string       `json:"text,omitempty"`
	File *SharedFile  `json:"file,omitempty"`

	institution ids.Institution
	key         string
}

// SharedFile is a photo or paper shown in the room.
type SharedFile struct {
	Name        string `json:"name"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
}

const (
	maxText = 2000 // characters of a message
	maxSaid = 1000 // messages of a room: more is no conversation
)

// roomOpen is a fault unless the room may be entered now.
func (v Visit) roomOpen() error {
	if v.Helped || slices.Contains([]State{CheckedIn, InConsult, Interrupted}, v.State) {
		return nil
	}
	kind := fault.Gone
	if v.State == Booked {
		kind = fault.Conflict
	}
	return fault.New(kind, "room_not_open", "诊室现在没有开。", "The room isn't open.").
		WithRemedy("请先候诊；已结束的就诊不能再进入。", "Please check in first; an ended visit can't be entered.")
}

// Messages reads what was said and shown, the oldest first. It stays readable to those of the matter when it is over.
func (s *Service) Messages(ctx context.Context, in Door) (list []Message, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		v, err := in(ctx, tx)
		if err != nil {
			return err
		}
		if list, err = s.messages(ctx, tx, v, ids.Message{}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, v.entry(v.kind()+".chat", v.String(), "read"))
	})
	return list, err
}

// messages reads all of a room, or one unless it is zero, and opens the seal.
func (s *Service) messages(ctx context.Context, tx tx, v venue, one ids.Message) ([]Message, error) {
	rows, err := selectMessages(ctx, tx, v.matter, one)
	if err != nil {
		return nil, err
	}
	list := make([]Message, len(rows))
	for i, r := range rows {
		plain, err := s.Vault.Open(sealScope(r.InstitutionID), messageAAD(r.ID), r.TextSealed)
		if err != nil {
			return nil, err
		}
		m := Message{ID: r.ID, Seat: control.Seat(r.Seat), Name: r.Name, Role: r.Role, At: r.At, institution: r.InstitutionID}
		if r.ObjectKey == nil {
			m.Text = string(plain)
		} else {
			m.File, m.key = &SharedFile{string(plain), *r.ContentType, *r.Size}, *r.ObjectKey
		}
		list[i] = m
	}
	return list, nil
}

func sealScope(place ids.Institution) string { return "institution/" + place.String() }

func messageAAD(id ids.Message) string { return "visit_message.text/" + id.String() }

// Say keeps a message. The same one sent twice is one.
func (s *Service) Say(ctx context.Context, in Door, text, requestKey string) (Message, error) {
	text = strings.TrimSpace(text)
	if n := utf8.RuneCountInString(text); n == 0 || n > maxText {
		return Message{}, fault.New(fault.Invalid, "message_length", "消息是空的，或超过 2000 字。", "The message is empty or longer than 2,000 characters.").
			WithRemedy("请分几条发。", "Please send it in parts.")
	}
	return s.keepMessage(ctx, in, text, nil, requestKey)
}

// Share keeps a photo or paper. The same one sent twice is one.
func (s *Service) Share(ctx context.Context, in Door, name string, file []byte, requestKey string) (m Message, err error) {
	switch kind := http.DetectContentType(file); {
	case len(file) == 0:
		return m, fault.New(fault.Invalid, "file_missing", "没有收到文件。", "There is no file.").WithRemedy("请重新选择文件。", "Please choose it again.")
	case len(file) > maxEvidence:
		return m, fault.New(fault.TooLarge, "file_too_large", "文件超过 10 MB。", "The file is larger than 10 MB.").
			WithRemedy("请把照片调小，或分几次发。", "Make the photo smaller, or send it in parts.")
	case !slices.Contains(evidenceTypes, kind):
		return m, fault.New(fault.Unsupported, "file_type", "只能发照片（JPEG、PNG）或 PDF。", "Only photos (JPEG, PNG) or PDF can be sent.").
			WithRemedy("请重新拍照，或转成 PDF。", "Please take a photo, or convert it to PDF.")
	case name == "" || name == "." || utf8.RuneCountInString(name) > 200:
		name = "file"
	}
	file, whole := photo.Clean(file)
	if !whole {
		return m, brokenPhoto
	}
	var v venue
	err = s.inTx(ctx, func(tx tx) error { // who may not write here stores no bytes
		v, err = in(ctx, tx)
		return err
	})
	if err == nil {
		err = v.open
	}
	if err != nil {
		return m, err
	}
	key, err := s.Files.Put(ctx, v.institution.ID, bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return m, err
	}
	sum := sha256.Sum256(file)
	m, err = s.keepMessage(ctx, in, name, &storedFile{key, http.DetectContentType(file), int64(len(file)), sum[:]}, requestKey)
	if err != nil || m.key != key { // refused, or sent before
		s.unnamed(ctx, err, key)
	}
	return m, err
}

type storedFile struct {
	key, contentType string
	size             int64
	sha256           []byte
}

func (s *Service) keepMessage(ctx context.Context, in Door, text string, file *storedFile, requestKey string) (m Message, err error) {
	id := ids.New[ids.Message]()
	var v venue
	keep := func(tx tx) error {
		if v, err = in(ctx, tx); err != nil {
			return err
		}
		sent, err := messageOfRequest(ctx, tx, v.matter, requestKey)
		if err != nil {
			return err
		}
		if sent.IsZero() {
			if v.open != nil {
				return v.open
			}
			n, err := countMessages(ctx, tx, v.matter)
			if err == nil && n >= maxSaid {
				err = fault.New(fault.Limited, "too_many_messages", "这个诊室的消息太多了。", "This room holds too many messages.").
					WithRemedy("请在诊室里说，或打电话。", "Please speak in the room, or call.")
			}
			if err != nil {
				return err
			}
			sent = id
			sealed := s.Vault.Seal(sealScope(v.institution.ID), messageAAD(id), []byte(text))
			if err := insertMessage(ctx, tx, id, v, sealed, file, requestKey, s.Now()); err != nil {
				return err
			}
			if err := audit.Write(ctx, tx, v.entry(v.kind()+".chat", "message/"+id.String(), "write")); err != nil {
				return err
			}
		}
		list, err := s.messages(ctx, tx, v, sent)
		if err == nil && len(list) == 1 {
			m = list[0]
		}
		return err
	}
	err = s.inTx(ctx, keep)
	if pg.Violates(err, "room_message_once") { // the same one came twice at the same moment
		err = s.inTx(ctx, keep)
	}
	if err == nil {
		s.tellRoom("message.added", v)
	}
	return m, err
}

// Shared opens a file that was shown in the room.
func (s *Service) Shared(ctx context.Context, in Door, id ids.Message) (f SharedFile, file io.ReadCloser, err error) {
	var m Message
	err = s.inTx(ctx, func(tx tx) error {
		v, err := in(ctx, tx)
		if err != nil {
			return err
		}
		if id.IsZero() { // would filter nothing
			return fault.Missing()
		}
		list, err := s.messages(ctx, tx, v, id)
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].File == nil {
			return fault.Missing()
		}
		m = list[0]
		return audit.Write(ctx, tx, v.entry(v.kind()+".chat", "message/"+id.String(), "file"))
	})
	if err != nil {
		return f, nil, err
	}
	file, err = s.Files.Get(ctx, m.key)
	return *m.File, file, err
}
