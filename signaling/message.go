package signaling

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
	"yuanzhen/signaling/sfu/rtpmap"
)

// Version of the protocol, see PROTOCOL.md.
const Version = 1

// Limits of one connection. They are part of the protocol.
const (
	maxMessage = 64 << 10 // bytes of a message, either way from the client
	maxDepth   = 32       // of JSON nesting
	maxRate    = 100      // messages a second, and as many at once
	maxAppData = 16 << 10 // bytes of an app message's data
	maxTopic   = 128      // bytes of a topic
	maxWord    = 16       // bytes of a word between clients
)

// fromClient is any message a client may send; Type says which fields count.
type fromClient struct {
	Type string `json:"type"`

	Version int    `json:"version"` // join
	Ticket  string `json:"ticket"`
	Session string `json:"session"`
	Seen    uint64 `json:"seen"`

	Offer     uint64                   `json:"offer"` // publish, answer
	SDP       string                   `json:"sdp"`
	Sections  []sfu.Section            `json:"sections"`
	Side      sfu.Side                 `json:"side"` // candidate, restart
	Candidate *webrtc.ICECandidateInit `json:"candidate"`

	Source sfu.Source `json:"source"` // mute
	Muted  bool       `json:"muted"`

	Track  string `json:"track"` // choose
	Paused bool   `json:"paused"`
	Layer  *uint8 `json:"layer"` // the highest of simulcast or SVC; all when left out

	Topic  string          `json:"topic"` // app
	Data   json.RawMessage `json:"data"`
	Keep   bool            `json:"keep"`
	Page   string          `json:"page"` // empty: the message is never said twice
	Number uint64          `json:"number"`

	Quality *control.Quality `json:"quality"` // quality
	Line    *lineView        `json:"line"`    // line
}

// Messages to the client. Each carries its own type word.
type (
	joinedMessage struct {
		Type     string     `json:"type"` // "joined"
		Version  int        `json:"version"`
		Seat     seatView   `json:"seat"`
		Session  string     `json:"session"`
		Resumed  bool       `json:"resumed"`
		Rights   rightsView `json:"rights"`
		Seats    []seatView `json:"seats"`
		Sequence uint64     `json:"seq"`
		Locked   bool       `json:"locked"` // false while waiting, whatever the room is
	}
	admittedMessage struct {
		Type     string     `json:"type"` // "admitted"
		Seats    []seatView `json:"seats"`
		Sequence uint64     `json:"seq"`
		Locked   bool       `json:"locked"`
	}
	lockMessage struct {
		Type   string `json:"type"` // "lock": the door was closed or opened
		Locked bool   `json:"locked"`
	}
	seatMessage struct {
		Type string   `json:"type"` // "seat": new or changed
		Seat seatView `json:"seat"`
	}
	goneMessage struct {
		Type   string       `json:"type"` // "gone"
		Seat   control.Seat `json:"seat"`
		Reason string       `json:"reason"` // "left", "removed", "lost"
	}
	publishedMessage struct {
		Type  string `json:"type"` // "published": the answer to publish
		Offer uint64 `json:"offer"`
		SDP   string `json:"sdp"`
	}
	subscribeMessage struct {
		Type   string             `json:"type"` // "subscribe": an offer
		Offer  uint64             `json:"offer"`
		SDP    string             `json:"sdp"`
		Tracks []sfu.OfferedTrack `json:"tracks"`
	}
	appMessage struct {
		Type     string          `json:"type"` // "app"
		Sequence uint64          `json:"seq"`
		Topic    string          `json:"topic"`
		From     control.Seat    `json:"from"`
		At       int64           `json:"at"` // Unix milliseconds
		Data     json.RawMessage `json:"data"`
		Keep     bool            `json:"keep,omitempty"`
		Page     string          `json:"page,omitempty"` // the sender's own words for it
		Number   uint64          `json:"number,omitempty"`
	}
	speakingMessage struct {
		Type string       `json:"type"` // "speaking": somebody has begun or ended to speak
		Seat control.Seat `json:"seat"`
		On   bool         `json:"on"`
	}
	wantedMessage struct {
		Type   string     `json:"type"` // "wanted": what the others take of an own track
		Source sfu.Source `json:"source"`
		Layers []bool     `json:"layers"`
		Rung   string     `json:"rung"`
	}
	rungMessage struct {
		Type string `json:"type"` // "rung": what the line to the client carries
		Rung string `json:"rung"`
	}
	plainMessage struct {
		Type string `json:"type"` // "pong", "prepare", "removed", "closed"
	}
	errorMessage struct {
		Type  string `json:"type"` // "error"
		Code  string `json:"code"`
		ZH    string `json:"zh"`
		EN    string `json:"en"`
		Fatal bool   `json:"fatal"` // the server closes the socket after it
	}
	dataMessage struct { // on the data channel
		Seat control.Seat `json:"seat"`
		Data string       `json:"data"`
	}
)

type seatView struct {
	Seat     control.Seat     `json:"seat"`
	Name     string           `json:"name"`
	Role     string           `json:"role"`
	Presence control.Presence `json:"presence"`
	Tracks   []trackView      `json:"tracks"`
	Line     lineView         `json:"line"`
}

// lineView is what a seat says of its line, for the others to show and to send by.
type lineView struct {
	Pictures bool   `json:"pictures"` // false: it is sent no video
	Limit    string `json:"limit"`    // the most it can receive now; a word between clients, "" nothing known
	Light    string `json:"light"`    // "good", "fair", "poor"; "" nothing known
}

func (l lineView) valid() bool {
	return len(l.Limit) <= maxWord && slices.Contains([]string{"", "good", "fair", "poor"}, l.Light)
}

type trackView struct {
	ID     string     `json:"id"`
	Source sfu.Source `json:"source"`
	Kind   string     `json:"kind"`
	Muted  bool       `json:"muted"`
}

type rightsView struct {
	Publish   bool `json:"publish"`
	Subscribe bool `json:"subscribe"`
}

// refusal is an error with a sentence for the person and a code for the program.
type refusal struct {
	code, zh, en string
	fatal        bool
}

func (r *refusal) Error() string { return r.code + ": " + r.en }

func (r *refusal) message() errorMessage {
	return errorMessage{Type: "error", Code: r.code, ZH: r.zh, EN: r.en, Fatal: r.fatal}
}

// What a client can be told. Those that are not fatal leave the connection as it was.
var (
	errMalformed   = &refusal{"malformed", "收到的消息无法识别，请刷新页面。", "The message could not be understood. Please reload the page.", true}
	errTooFast     = &refusal{"too_fast", "消息太多，连接已断开，请稍后重试。", "Too many messages. Please try again in a moment.", true}
	errNoTicket    = &refusal{"ticket_missing", "没有及时收到入场凭证，请重新进入。", "No ticket arrived in time. Please enter again.", true}
	errBadTicket   = &refusal{"ticket_invalid", "入场凭证无效，请重新进入。", "The ticket is not valid. Please enter again.", true}
	errOldTicket   = &refusal{"ticket_expired", "入场凭证已过期，正在换新的。", "The ticket has expired. A new one is needed.", true}
	errVersion     = &refusal{"version", "页面版本过旧，请刷新。", "This page is out of date. Please reload.", true}
	errReplaced    = &refusal{"replaced", "您已在另一个页面或设备进入，这里已断开。", "You have come in on another page or device. This one is disconnected.", true}
	errGoingAway   = &refusal{"going_away", "服务正在重启，马上自动接回。", "The service is restarting. You will be reconnected by itself.", true}
	errBadMedia    = &refusal{"bad_description", "浏览器的音视频协商无法使用，正在重新连接。", "The media set-up could not be used. Reconnecting.", true}
	errMedia       = &refusal{"media_failed", "音视频连接中断，正在重新连接。", "The media connection failed. Reconnecting.", true}
	errFull        = &refusal{"room_full", "房间人数已满，请先让一位退出，再重新进入。", "The room is full. Let somebody leave, then enter again.", true}
	errLocked      = &refusal{"room_locked", "诊室已锁上，不再让人进来。请联系医生。", "The room is locked: nobody new is let in. Please ask the doctor.", true}
	errNotAdmitted = &refusal{"not_admitted", "请等待接入后再开始。", "Please wait until you are let in.", false}
	errNoRight     = &refusal{"no_right", "您在这个房间只能观看。要说话，请医生另发链接。", "You may only watch in this room. To speak, ask the doctor for another link.", false}
	errBadApp      = &refusal{"bad_app", "消息过长或主题无效，没有发送。请缩短后再发。", "The message is too long or its topic is not valid. It was not sent. Please shorten it and send it again.", false}
	errKeepFull    = &refusal{"keep_full", "房间保存的内容已满，没有发送。", "The room keeps no more. The message was not sent.", false}
)

// decode reads one message within the limits.
func decode(raw []byte) (fromClient, error) {
	var m fromClient
	if err := checkDepth(raw); err != nil {
		return m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("decode message: %w", err)
	}
	return m, nil
}

var errDeep = errors.New("JSON is nested too deeply")

// checkDepth counts brackets outside strings: enough to bound the parser, which judges the rest.
func checkDepth(raw []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return errDeep
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// choice is what a client chooses to get of a track.
func (m fromClient) choice() sfu.Choice {
	top := uint8(rtpmap.Top)
	if m.Layer != nil {
		top = min(*m.Layer, top)
	}
	return sfu.Choice{Paused: m.Paused, Layer: rtpmap.Layer{Stream: top, Spatial: top, Temporal: rtpmap.Top}}
}
