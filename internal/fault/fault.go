// Package fault names what can go wrong in a way that a person can act on.
//
// Code wraps errors with fmt.Errorf on the way up and makes a fault where it knows
// what the person should be told. The edge (internal/httpapi) turns faults
// into RFC 9457 answers; every other error is Internal and its text stays inside.
package fault

import (
	"errors"
	"fmt"
)

// Kind says whose move it is. The edge maps it to an HTTP status.
type Kind int

const (
	Internal        Kind = iota // 500: our mistake
	Malformed                   // 400: can't be read at all
	Unauthenticated             // 401: sign in first
	Forbidden                   // 403: this role may not do this
	NotFound                    // 404: not there, or not for this person (the two are never told apart)
	Conflict                    // 409: someone else was first, or the state moved on
	Gone                        // 410: it was there and has ended
	TooLarge                    // 413
	Unsupported                 // 415
	Invalid                     // 422: readable, and wrong
	Refused                     // 422: the law or a rule says no
	Limited                     // 429: too often
	Unavailable                 // 503: a part of the house is away
	Full                        // 507: no room is left for it
)

// Text is a sentence in both languages of the house.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// Error is a fault with words for the person. The cause is for the log only.
type Error struct {
	Kind   Kind
	Code   string // stable, snake_case, for programs
	Say    Text
	Remedy Text
	Detail any // shown to the caller as JSON; nothing internal
	cause  error
}

// New makes a fault. zh and en are full sentences.
func New(kind Kind, code, zh, en string) *Error {
	return &Error{Kind: kind, Code: code, Say: Text{zh, en}}
}

// WithRemedy adds what the person can do now.
func (e *Error) WithRemedy(zh, en string) *Error {
	c := *e
	c.Remedy = Text{zh, en}
	return &c
}

// Because keeps the cause for the log.
func (e *Error) Because(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// With adds data that helps the caller go on, such as the nearest free times.
func (e *Error) With(detail any) *Error {
	c := *e
	c.Detail = detail
	return &c
}

func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Say.EN, e.cause)
	}
	return e.Code + ": " + e.Say.EN
}

func (e *Error) Unwrap() error { return e.cause }

// Is makes faults with the same code equal for errors.Is.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// As finds the fault in err's chain; an error without one is Internal.
func As(err error) *Error {
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	return New(Internal, "internal", "我们出了问题，您填的都在。", "Our fault; your answers are safe.").
		WithRemedy("请稍后再试；还不行请报编号给客服。", "Please try again; if it goes on, tell us the request id.").Because(err)
}

// KindOf is the kind of the fault in err's chain, Internal if there is none.
func KindOf(err error) Kind { return As(err).Kind }

// Missing is the one answer for "not there" and "not yours".
func Missing() *Error {
	return New(NotFound, "not_found", "没有找到，或不在您可以看的范围内。", "Not found, or not yours to see.").
		WithRemedy("请从列表里重新打开。", "Please open it again from your list.")
}
