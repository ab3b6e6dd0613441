package whip

import (
	"encoding/json"
	"errors"
	"net/http"
)

// Problem is what a client is told when a request fails (RFC 9457), in the words of the house.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    text   `json:"detail"`
	Remedy    text   `json:"remedy"`
	RequestID string `json:"request_id,omitempty"`

	cause error
}

type text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

func (p *Problem) Error() string {
	if p.cause != nil {
		return p.Code + ": " + p.cause.Error()
	}
	return p.Code + ": " + p.Detail.EN
}

func (p *Problem) Unwrap() error { return p.cause }

func (p *Problem) because(err error) *Problem {
	c := *p
	c.cause = err
	return &c
}

func newProblem(status int, code, zh, en, remedyZH, remedyEN string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: text{zh, en}, Remedy: text{remedyZH, remedyEN}}
}

// What the rooms answer.
var (
	// Absent: nobody sits there now.
	Absent = newProblem(http.StatusNotFound, "not_there", "这个设备现在不在房间里。", "That seat is not taken now.",
		"请稍后再试。", "Try again in a moment.")
	// Nothing is published by the seat yet.
	Nothing = newProblem(http.StatusConflict, "nothing_published", "这个设备还没有发送画面或声音。", "Nothing is published there yet.",
		"请稍后再试。", "Try again in a moment.")
	// Full: the room takes nobody more.
	Full = newProblem(http.StatusServiceUnavailable, "room_full", "房间人数已满。", "The room is full.",
		"请先让一台设备退出。", "Let another device leave first.")
	// Ended: the ticket was sold before the seat was removed or the room closed.
	Ended = newProblem(http.StatusForbidden, "ended", "房间已经结束，或设备已被移出。", "The room is over, or the seat was removed.",
		"请取新的凭证。", "Get a new ticket.")
)

var (
	errNoTicket = newProblem(http.StatusUnauthorized, "ticket_missing", "缺少入场凭证。", "The request bears no ticket.",
		"请在 Authorization 里写 Bearer 和凭证。", "Send it as Authorization: Bearer.")
	errBadTicket = newProblem(http.StatusUnauthorized, "ticket_invalid", "入场凭证无效。", "The ticket is not valid.",
		"请取新的凭证。", "Get a new ticket.")
	errOldTicket = newProblem(http.StatusUnauthorized, "ticket_expired", "入场凭证已过期。", "The ticket has expired.",
		"请取新的凭证。", "Get a new ticket.")
	errForbidden = newProblem(http.StatusForbidden, "no_right", "这张凭证不能用于这里。", "The ticket does not allow this.",
		"请取设备专用的凭证。", "Get a ticket for a device.")
	errMissing = newProblem(http.StatusNotFound, "not_found", "没有这个会话，或它已经结束。", "There is no such session, or it is over.",
		"请重新开始。", "Begin anew.")
	errOver = newProblem(http.StatusNotFound, "over", "会话刚刚结束。", "The session has just ended.",
		"请重新开始。", "Begin anew.")
	errMethod = newProblem(http.StatusMethodNotAllowed, "method", "这个地址不接受这种请求。", "This address does not take such a request.",
		"可用的方法写在 Allow 里。", "Allow names those it takes.")
	errType = newProblem(http.StatusUnsupportedMediaType, "content_type", "内容类型不对。", "The content type is not the right one.",
		"可用的类型写在 Accept 里。", "Accept names the one to use.")
	errTooLarge = newProblem(http.StatusRequestEntityTooLarge, "too_large", "会话描述超过 64 KB。", "The description is longer than 64 KB.",
		"请减少其中的媒体和候选地址。", "Offer fewer media and candidates.")
	errBadOffer = newProblem(http.StatusBadRequest, "bad_description", "会话描述无法使用。", "The session description cannot be used.",
		"请检查设备的 WebRTC 设置。", "Check the WebRTC settings of the device.")
	errUnfit = newProblem(http.StatusUnprocessableEntity, "unfit_description", "会话描述里没有可用的声音或画面。", "The offer has no sound or picture that can be used here.",
		"WHIP 要求发送、WHEP 要求接收；每个媒体段有 mid；多于一段时要用 BUNDLE。", "WHIP offers to send, WHEP to receive; every section has a mid; more than one are in a BUNDLE group.")
	errTwice = newProblem(http.StatusUnprocessableEntity, "two_of_a_kind", "会话描述里有两路画面或两路声音，一台设备只能发一路。", "The offer sends two pictures or two sounds; a device sends one of each.",
		"请在设备上只留一路画面和一路声音；另一路画面请在诊室里另加一台设备。", "Leave one picture and one sound on the device; for another picture add another device in the room.")
	errCodec = newProblem(http.StatusUnprocessableEntity, "no_common_codec", "设备的画面或声音用了这里不支持的编码。", "A picture or sound of the offer has no codec that is known here.",
		"画面请用 H264（Constrained Baseline）、VP8、VP9 或 AV1，声音请用 Opus；不发的请关掉。", "Set the picture to H264 (constrained baseline), VP8, VP9 or AV1 and the sound to Opus, or switch off what is not needed.")
	errSource = newProblem(http.StatusUnprocessableEntity, "unknown_source", "不认识的设备类型。", "The source is not known.",
		"请用 ultrasound、otoscope、endoscope、room_camera、camera 或 screen。", "Use ultrasound, otoscope, endoscope, room_camera, camera or screen.")
	errFragment = newProblem(http.StatusBadRequest, "bad_fragment", "候选地址无法识别。", "The candidates cannot be understood.",
		"请按 RFC 8840 书写。", "Write them as in RFC 8840.")
	errNoMatch = newProblem(http.StatusPreconditionRequired, "if_match_missing", "缺少 If-Match。", "If-Match is missing.",
		"请填上次收到的 ETag；重启 ICE 时填 *。", "Send the last ETag, or * to restart ICE.")
	errMatch = newProblem(http.StatusPreconditionFailed, "if_match_old", "连接已经换过，这些候选地址属于旧的。", "The candidates are of an ICE session that is over.",
		"请填最新的 ETag；重启 ICE 时填 *。", "Send the last ETag, or * to restart ICE.")
	errBusy = newProblem(http.StatusServiceUnavailable, "busy", "服务器正忙或正在停止。", "The server is full or about to stop.",
		"请稍后再试。", "Try again in a moment.")
	errInternal = newProblem(http.StatusInternalServerError, "internal", "我们出了问题。", "Our fault.",
		"请重试。", "Please try again.")
)

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		if r.Context().Err() != nil {
			return // nobody is there to hear it
		}
		h.log.Error("a media session failed", "error", err)
		p = errInternal
	}
	header, told := w.Header(), *p
	told.RequestID = header.Get("X-Request-Id") // set by who serves us, if at all
	switch p.Status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable, http.StatusConflict:
		header.Set("Retry-After", "1")
	}
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(told)
}
