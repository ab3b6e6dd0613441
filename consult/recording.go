package consult

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"time"

	"yuanzhen/internal/audit"
	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/control"
)

// A recording runs only while everybody present has agreed to the text in force. It is one a room, in takes: a newcomer
// who has not agreed stops it, and it goes on when they have. The recorder is a seat that everybody sees.

// recordingText is what everybody is asked. Another wording is another version: consents are kept with theirs.
var recordingText = struct {
	Version string
	fault.Text
}{"recording-2026-12", fault.Text{
	ZH: "医院希望给这次就诊或会诊录音录像，加密保存，只用于病历、医疗质量和处理纠纷，到期删除。诊室里每个人都同意才会录，录的时候屏幕上有红灯。您可以不同意，也可以随时停。",
	EN: "The hospital would like to record sound and picture of this visit or consult. The recording is encrypted, serves the record, the quality of care and the settling of disputes only, and is deleted when its time is over. It runs only while everybody in the room agrees, with a red light on every screen. You may refuse, and you may stop it at any time.",
}}

func recordingTextHash() []byte {
	sum := sha256.Sum256([]byte(recordingText.Version + "\n" + recordingText.ZH + "\n" + recordingText.EN))
	return sum[:]
}

const recorderSeat control.Seat = "recorder"

// Recording is what everybody in the room sees of it; Takes are for who may play it.
type Recording struct {
	ID       ids.Recording  `json:"id"`
	State    string         `json:"state" enum:"asked,running,refused,done,damaged,erased"`
	Text     fault.Text     `json:"text"`
	Version  string         `json:"text_version"`
	Required bool           `json:"required" doc:"Who refuses is seen in person instead, with a full refund"`
	Trouble  bool           `json:"trouble" doc:"It ended by itself and has not gone on"`
	Started  *time.Time     `json:"started_at,omitempty"`
	Ended    *time.Time     `json:"ended_at,omitempty"`
	Until    string         `json:"keep_until" format:"date"`
	Answers  []RecordAnswer `json:"answers"`
	Takes    []Take         `json:"takes"`

	ending bool // somebody is about to end it
}

// over reports whether nothing is recorded any more.
func (r Recording) over() bool {
	return r.State == "done" || r.State == "damaged" || r.State == "erased"
}

// RecordAnswer is the newest answer of a seat.
type RecordAnswer struct {
	Seat   control.Seat `json:"seat"`
	Name   string       `json:"name"`
	Role   string       `json:"role"`
	Agreed bool         `json:"agreed"`
}

// Take is a file: one seat's sound and picture.
type Take struct {
	Take     int          `json:"take"`
	Seat     control.Seat `json:"seat"`
	Type     string       `json:"type"`
	OffsetMs int64        `json:"offset_ms" doc:"Of its beginning, from that of the recording"`
	LengthMs int64        `json:"length_ms"`
	Size     int64        `json:"size"`
}

var noRecorder = fault.New(fault.Unavailable, "no_recorder", "这里现在不能录音录像。", "Nothing can be recorded here at present.").
	WithRemedy("请联系信息科。", "Please call your IT desk.")

// AskRecording asks everybody in the room, the doctor agreeing by asking.
func (s *Service) AskRecording(ctx context.Context, in Door) (r Recording, err error) {
	if s.Tapes == nil {
		return r, noRecorder
	}
	var v venue
	err = s.inTx(ctx, func(tx tx) error {
		if v, err = in(ctx, tx); err != nil {
			return err
		}
		switch {
		case !v.host():
			return hostOnly
		case !v.begun:
			return notBegun
		}
		recording, err := askRecording(ctx, tx, ids.New[ids.Recording](), v, s.Now())
		if err != nil {
			return err
		}
		if err := insertAnswer(ctx, tx, recording, v.by, true, s.Now()); err != nil {
			return err
		}
		if r, err = s.recording(ctx, tx, v); err != nil {
			return err
		}
		return audit.Write(ctx, tx, v.entry("recording.ask", "recording/"+recording.String(), ""))
	})
	if err != nil {
		return r, err
	}
	s.followRecording(v.matter)
	return r, nil
}

// AnswerRecording is somebody's consent or refusal. A refusal stops what runs; where the institution demands recordings
// the patient's refusal ends the visit online: seen in person, all paid back.
func (s *Service) AnswerRecording(ctx context.Context, in Door, agreed bool, version string) (r Recording, err error) {
	var v venue
	var offline Visit
	err = s.inTx(ctx, func(tx tx) error {
		offline = Visit{}
		if v, err = in(ctx, tx); err != nil {
			return err
		}
		if r, err = s.recording(ctx, tx, v); err != nil {
			return err
		}
		if r.ID.IsZero() || r.over() || v.over {
			return fault.New(fault.Conflict, "recording_not_asked", "现在没有在问录音录像。", "Nobody is asked about a recording now.").
				WithRemedy("请刷新页面。", "Please refresh the page.")
		}
		if version != recordingText.Version {
			return fault.New(fault.Conflict, "recording_text_old", "说明有更新，请再看一遍。", "The text has changed; please read it again.").
				WithRemedy("请刷新页面。", "Please refresh the page.")
		}
		if err := insertAnswer(ctx, tx, r.ID, v.by, agreed, s.Now()); err != nil {
			return err
		}
		if !agreed {
			if err := refuseRecording(ctx, tx, r.ID); err != nil {
				return err
			}
			if r.Required && v.by.seat == patientSeat {
				if offline, err = s.sendOffline(ctx, tx, v.visit); err != nil {
					return err
				}
			}
		}
		if r, err = s.recording(ctx, tx, v); err != nil {
			return err
		}
		reason := "refused"
		if agreed {
			reason = "agreed"
		}
		return audit.Write(ctx, tx, v.entry("recording.answer", "recording/"+r.ID.String(), reason+" by "+string(v.by.seat)))
	})
	if err != nil {
		return r, err
	}
	s.tellRoom("", v)
	if !offline.ID.IsZero() {
		s.tellQueue(ctx, offline)
		s.closeRoom(ctx, v.room)
	}
	s.followRecording(v.matter)
	return r, nil
}

// mustHaveAsked: where the institution demands recordings, no visit ends before the patient was asked and has answered.
func (s *Service) mustHaveAsked(ctx context.Context, id ids.Visit) error {
	if s.Tapes == nil {
		return nil
	}
	return s.inTx(ctx, func(tx tx) error {
		v, err := s.at(ctx, tx, matter{visit: id})
		if err != nil {
			return err
		}
		r, err := s.recording(ctx, tx, v)
		answered := slices.ContainsFunc(r.Answers, func(a RecordAnswer) bool { return a.Seat == patientSeat })
		if err != nil || !r.Required || answered {
			return err
		}
		if !r.ID.IsZero() {
			return fault.New(fault.Refused, "recording_unanswered", "本院规定视频就诊要录音录像，患者还没有回答同不同意。", "This hospital demands that video visits are recorded, and the patient has not said yet whether they agree.").
				WithRemedy("请患者在屏幕上回答；回答不了的，用“改判或停止”改线下就诊，费用全退。", "Ask the patient to answer on the screen; who can't is seen in person: choose Change or stop, with a full refund.")
		}
		return fault.New(fault.Refused, "recording_missing", "本院规定视频就诊要录音录像，这次还没有问过。", "This hospital demands that video visits are recorded, and nobody has been asked yet.").
			WithRemedy("请先点“录音录像”请患者同意；患者不同意就改线下就诊，费用全退。", "Please ask the patient about the recording first; who refuses is seen in person instead, with a full refund.")
	})
}

// sendOffline ends a visit whose patient refused the recording that the hospital demands.
func (s *Service) sendOffline(ctx context.Context, tx tx, id ids.Visit) (Visit, error) {
	v, err := s.find(authz.WithScope(ctx, authz.System("recording.answer")), tx, id)
	if err == nil && !slices.Contains(move("send offline").From, v.State) { // an alarm has ended it, and its room stays open
		err = movedOn(v)
	}
	if err != nil {
		return v, err
	}
	moved, err := moveVisit(ctx, tx, id, v.State, move("send offline").To, s.Now())
	if err == nil && !moved {
		err = movedOn(v)
	}
	if err == nil {
		err = putRefusal(ctx, tx, id)
	}
	return v, err
}

// ReadRecording reads what everybody in the room may know; with takes for who may play them.
func (s *Service) ReadRecording(ctx context.Context, in Door) (r Recording, err error) {
	err = s.inTx(ctx, func(tx tx) error {
		v, err := in(ctx, tx)
		if err != nil {
			return err
		}
		if r, err = s.recording(ctx, tx, v); err != nil {
			return err
		}
		if v.by.account.IsZero() {
			r.Takes = []Take{}
		}
		if r.ID.IsZero() {
			return nil
		}
		return audit.Write(ctx, tx, v.entry("recording.read", "recording/"+r.ID.String(), "state"))
	})
	return r, err
}

// recording reads the room's recording; the zero one when nobody was asked yet.
func (s *Service) recording(ctx context.Context, tx tx, v venue) (r Recording, err error) {
	r, err = selectRecording(ctx, tx, v.matter)
	if err != nil {
		return r, err
	}
	if r.Required, err = recordingRequired(ctx, tx, v); err != nil {
		return r, err
	}
	r.Text, r.Version = recordingText.Text, recordingText.Version
	if r.Answers, err = selectAnswers(ctx, tx, r.ID, recordingText.Version); err != nil {
		return r, err
	}
	if r.State == "erased" {
		r.Takes = []Take{}
		return r, nil
	}
	r.Takes, err = selectTakes(ctx, tx, r.ID)
	return r, err
}

// Play opens one take. It is read part by part, so that a player may jump.
func (s *Service) Play(ctx context.Context, in Door, take int, first bool) (t Take, file io.ReadSeeker, err error) {
	var parts []storedPart
	err = s.inTx(ctx, func(tx tx) error {
		v, err := in(ctx, tx)
		if err != nil {
			return err
		}
		r, err := s.recording(ctx, tx, v)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(r.Takes, func(t Take) bool { return t.Take == take })
		if at < 0 {
			return fault.Missing()
		}
		t = r.Takes[at]
		if parts, err = selectParts(ctx, tx, r.ID, take); err != nil || !first {
			return err
		}
		return audit.Write(ctx, tx, v.entry("recording.read", fmt.Sprintf("recording/%s/%d", r.ID, take), "play"))
	})
	return t, &tape{ctx: ctx, files: s.Files, parts: parts}, err
}

// tape reads stored parts as one file.
type tape struct {
	ctx   context.Context
	files Files
	parts []storedPart
	at    int64
	held  int // index of data, when not nil
	data  []byte
}

func (t *tape) size() (n int64) {
	for _, p := range t.parts {
		n += p.Size
	}
	return n
}

func (t *tape) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += t.at
	case io.SeekEnd:
		offset += t.size()
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d", offset)
	}
	t.at = offset
	return offset, nil
}

func (t *tape) Read(b []byte) (int, error) {
	begin := int64(0)
	for i, p := range t.parts {
		if t.at >= begin+p.Size {
			begin += p.Size
			continue
		}
		if t.data == nil || t.held != i {
			data, err := t.load(p)
			if err != nil {
				return 0, err
			}
			t.held, t.data = i, data
		}
		n := copy(b, t.data[t.at-begin:])
		t.at += int64(n)
		return n, nil
	}
	return 0, io.EOF
}

// load reads a whole part and compares it with what was kept.
func (t *tape) load(p storedPart) ([]byte, error) {
	file, err := t.files.Get(t.ctx, p.ObjectKey)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); int64(len(data)) != p.Size || !bytes.Equal(sum[:], p.SHA256) {
		return nil, fault.New(fault.Internal, "recording_altered", "录音录像和保存时不一样，已停止播放。", "The recording is not what was kept; playing was stopped.").
			WithRemedy("请联系信息科。", "Please call your IT desk.")
	}
	return data, nil
}
