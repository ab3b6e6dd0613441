// Package whip lets instruments send and observers watch with programs that know no socket of ours: WHIP (RFC 9725) and WHEP
// (draft-ietf-wish-whep-03). A session is a seat in a room like any other: the others see it, and it can be removed.
//
//	POST   /whip/{room}/{seat}?source=ultrasound   an offer to send; 201 with the answer, Location, ETag, Link
//	POST   /whep/{room}/{publisher}                an offer to receive what that seat publishes
//	PATCH  Location                                ICE candidates, or an ICE restart
//	DELETE Location                                the end
//
// Every request bears the ticket as a bearer token (RFC 6750); that of a session's later requests is the one it began with.
package whip

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"yuanzhen/signaling/control"
	"yuanzhen/signaling/sfu"
)

const (
	maxBody    = 64 << 10         // bytes of a description
	answerTime = 10 * time.Second // for the engine to answer an offer
	maxSession = 2000             // sessions of one server; each room has its own limit besides

	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"
)

// Ear is what a session hears of its peer. It is called by the peer's handler.
type Ear interface {
	Answered(offer uint64, sdp string)
	Broken(error)
}

// Place is a seat taken for a session.
type Place struct {
	Peer  *sfu.Peer
	Leave func() // gives the seat up; more than once does no harm
}

// Rooms is what sessions need of the rooms. Errors are *Problem when the client should hear them.
type Rooms interface {
	// Permit judges a bearer token: what it allows in the room. An empty seat stands for any.
	Permit(token string, room control.Room, seat control.Seat) (control.Claims, error)
	// Publish takes the seat of the claims for who will offer to send.
	Publish(c control.Claims, e Ear) (Place, error)
	// View takes a seat for who will offer to receive what another seat publishes, of these kinds; it waits a moment for tracks
	// that are on their way.
	View(ctx context.Context, c control.Claims, of control.Seat, kinds []string, e Ear) (Place, []*sfu.UpTrack, error)
	ICEServers(control.Room, control.Seat) []control.ICEServer
}

// Handler serves both protocols; mount it at /whip/ and /whep/.
type Handler struct {
	// Set at construction.
	rooms Rooms
	log   *slog.Logger
	mux   *http.ServeMux

	mu       sync.Mutex
	sessions map[string]*session // guarded by mu
	closed   bool                // guarded by mu
	watchers sync.WaitGroup      // one per session, until its peer is done
}

// New makes a handler.
func New(rooms Rooms, log *slog.Logger) *Handler {
	h := &Handler{rooms: rooms, log: log, mux: http.NewServeMux(), sessions: map[string]*session{}}
	for protocol, begin := range map[string]deed{"whip": h.publish, "whep": h.view} {
		h.on("/"+protocol+"/{room}/{seat}", map[string]deed{
			http.MethodGet: nothing, http.MethodHead: nothing, http.MethodPost: begin, http.MethodOptions: options,
		}, "GET, HEAD, POST, OPTIONS")
		h.on("/"+protocol+"/sessions/{session}", map[string]deed{
			http.MethodGet: h.look, http.MethodHead: h.look, http.MethodPatch: h.patch, http.MethodDelete: h.end, http.MethodOptions: options,
		}, "GET, HEAD, PATCH, DELETE, OPTIONS")
	}
	h.on("/", nil, "")
	return h
}

type deed = func(http.ResponseWriter, *http.Request) error

// on serves an address with a deed for each method.
func (h *Handler) on(pattern string, deeds map[string]deed, allow string) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		do := deeds[r.Method]
		if allow != "" && (do == nil || r.Method == http.MethodOptions) {
			w.Header().Set("Allow", allow)
		}
		err := error(errMissing)
		switch {
		case do != nil:
			err = do(w, r)
		case allow != "":
			err = errMethod
		}
		if err != nil {
			h.refuse(w, r, err)
		}
	})
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Close takes no new sessions. Those there are end with their peers; Wait is for after the engine has closed.
func (h *Handler) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

// Wait returns when the last session has ended.
func (h *Handler) Wait() { h.watchers.Wait() }

// session is one WHIP or WHEP session. A handler makes it; after that requests change it one at a time.
type session struct {
	// Set at construction.
	id     string
	bearer [sha256.Size]byte
	side   sfu.Side
	place  Place
	offer  func(number uint64, sdp string) // to the peer
	answer chan answer
	broken chan error

	mu     sync.Mutex
	sdp    string // guarded by mu: the last offer
	number uint64 // guarded by mu: of it
	tag    string // guarded by mu: the ICE session's entity tag, RFC 9725 §4.3.1
}

type answer struct {
	number uint64
	sdp    string
}

func newSession(token string, side sfu.Side) *session {
	return &session{
		id: rand.Text(), bearer: sha256.Sum256([]byte(token)), side: side, answer: make(chan answer, 8), broken: make(chan error, 1),
	}
}

// Answered implements Ear.
func (s *session) Answered(number uint64, sdp string) {
	select {
	case s.answer <- answer{number, sdp}:
	default: // eight answers that nobody waited for: the requests were given up
	}
}

// refused is why a peer broke while it was made an offer.
func refused(err error) error {
	if errors.Is(err, sfu.ErrBadDescription) {
		return errBadOffer.because(err)
	}
	return fmt.Errorf("offer: %w", err)
}

// Broken implements Ear.
func (s *session) Broken(err error) {
	select {
	case s.broken <- err:
	default:
	}
}

// exchange offers and waits for the answer. Called with mu held.
func (s *session) exchange(ctx context.Context, sdp string) (string, error) {
	s.number++
	s.sdp = sdp
	s.offer(s.number, bundled(sdp))
	late := time.NewTimer(answerTime)
	defer late.Stop()
	for {
		select {
		case a := <-s.answer:
			if a.number == s.number {
				s.tag = `"` + rand.Text() + `"`
				if !isBundled(sdp) {
					return unbundled(a.sdp), nil
				}
				return a.sdp, nil
			}
		case err := <-s.broken:
			return "", refused(err)
		case <-s.place.Peer.Done():
			select {
			case err := <-s.broken: // it is over because of this offer
				return "", refused(err)
			default:
				return "", errOver
			}
		case <-late.C:
			return "", errors.New("the engine did not answer an offer in time")
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// publish is POST of WHIP, RFC 9725 §4.2.
func (h *Handler) publish(w http.ResponseWriter, r *http.Request) error {
	room, seat := control.Room(r.PathValue("room")), control.Seat(r.PathValue("seat"))
	token, claims, err := h.permit(r, room, seat)
	if err != nil {
		return err
	}
	if !claims.Publish {
		return errForbidden
	}
	offer, err := read(w, r, typeSDP)
	if err != nil {
		return err
	}
	source := sfu.Source(r.URL.Query().Get("source"))
	if source == "" {
		source = sfu.Camera
	}
	sections, err := sectionsOf(offer, source)
	if err != nil {
		return err
	}
	s := newSession(token, sfu.Publish)
	if s.place, err = h.rooms.Publish(claims, s); err != nil {
		return err
	}
	s.offer = func(number uint64, sdp string) { s.place.Peer.Offer(number, sdp, sections) }
	return h.begin(w, r, s, claims, "/whip/", offer)
}

// view is POST of WHEP, draft-ietf-wish-whep-03 §4.2, with the client's offer.
func (h *Handler) view(w http.ResponseWriter, r *http.Request) error {
	room, of := control.Room(r.PathValue("room")), control.Seat(r.PathValue("seat"))
	token, claims, err := h.permit(r, room, "")
	if err != nil {
		return err
	}
	if !claims.Subscribe {
		return errForbidden
	}
	offer, err := read(w, r, typeSDP)
	if err != nil {
		return err
	}
	kinds, err := kindsOf(offer)
	if err != nil {
		return err
	}
	s := newSession(token, sfu.Subscribe)
	var ups []*sfu.UpTrack
	if s.place, ups, err = h.rooms.View(r.Context(), claims, of, kinds, s); err != nil {
		return err
	}
	s.offer = func(number uint64, sdp string) { s.place.Peer.View(number, sdp, ups, string(of)) }
	return h.begin(w, r, s, claims, "/whep/", offer)
}

// begin makes the session with its first offer and answers 201.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, s *session, c control.Claims, base, offer string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !h.keep(s) {
		s.place.Leave()
		return errBusy
	}
	answer, err := s.exchange(r.Context(), offer)
	if err == nil && s.side == sfu.Publish && !whole(offer, answer) {
		err = errCodec
	}
	if err != nil {
		s.place.Leave()
		return err
	}
	s.place.Peer.EndWithConnection()
	header := w.Header()
	for _, link := range links(h.rooms.ICEServers(c.Room, c.Seat)) {
		header.Add("Link", link)
	}
	header.Set("Content-Type", typeSDP)
	header.Set("Cache-Control", "no-store")
	header.Set("Location", base+"sessions/"+s.id)
	header.Set("ETag", s.tag)
	header.Set("Accept-Patch", typeFragment)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // who does not hear it comes again
	return nil
}

// keep remembers a session until its peer is done.
func (h *Handler) keep(s *session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.sessions) >= maxSession {
		return false
	}
	h.sessions[s.id] = s
	h.watchers.Go(func() {
		<-s.place.Peer.Done()
		h.mu.Lock()
		delete(h.sessions, s.id)
		h.mu.Unlock()
		s.place.Leave()
	})
	return true
}

// patch is PATCH, RFC 9725 §4.3: candidates for the ICE session that If-Match names, or with "*" a new one.
func (h *Handler) patch(w http.ResponseWriter, r *http.Request) error {
	s, err := h.session(r)
	if err != nil {
		return err
	}
	text, err := read(w, r, typeFragment)
	if err != nil {
		return err
	}
	f, err := readFragment(text)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	match := strings.TrimSpace(r.Header.Get("If-Match"))
	restart := f.ufrag != "" && f.ufrag != ufragOf(s.sdp)
	switch {
	case match == "":
		return errNoMatch
	case match != "*" && match != s.tag, restart && match != "*":
		return errMatch
	}
	if !restart {
		s.trickle(f)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if f.pwd == "" {
		return errFragment
	}
	answer, err := s.exchange(r.Context(), restarted(s.sdp, f))
	if err != nil {
		return err
	}
	s.trickle(f)
	w.Header().Set("Content-Type", typeFragment)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("ETag", s.tag)
	_, _ = io.WriteString(w, fragmentOf(answer))
	return nil
}

func (s *session) trickle(f fragment) {
	for _, c := range f.candidates {
		s.place.Peer.Candidate(s.side, c)
	}
}

// end is DELETE, RFC 9725 §4.2: when it answers, the transports are closed.
func (h *Handler) end(w http.ResponseWriter, r *http.Request) error {
	s, err := h.session(r)
	if err != nil {
		return err
	}
	s.place.Leave()
	select {
	case <-s.place.Peer.Done():
	case <-r.Context().Done():
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// nothing is GET and HEAD of an endpoint: success without content (RFC 9725 §4.1). By the type a player knows a WHEP endpoint.
func nothing(w http.ResponseWriter, r *http.Request) error {
	if strings.HasPrefix(r.URL.Path, "/whep/") {
		w.Header().Set("Content-Type", typeSDP)
		w.WriteHeader(http.StatusOK)
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// look is GET and HEAD of a session, likewise without content.
func (h *Handler) look(w http.ResponseWriter, r *http.Request) error {
	if _, err := h.session(r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// options is OPTIONS, which RFC 9725 §4.2 asks for.
func options(w http.ResponseWriter, r *http.Request) error {
	if r.PathValue("session") != "" {
		w.Header().Set("Accept-Patch", typeFragment)
	} else {
		w.Header().Set("Accept-Post", typeSDP)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// session finds the session of a request. Without its own token it is not there.
func (h *Handler) session(r *http.Request) (*session, error) {
	token, err := bearer(r)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	s := h.sessions[r.PathValue("session")]
	h.mu.Unlock()
	given := sha256.Sum256([]byte(token))
	if s == nil || subtle.ConstantTimeCompare(given[:], s.bearer[:]) != 1 {
		return nil, errMissing
	}
	select {
	case <-s.place.Peer.Done(): // over, though its watcher has not come to forget it yet
		return nil, errMissing
	default:
		return s, nil
	}
}

func (h *Handler) permit(r *http.Request, room control.Room, seat control.Seat) (string, control.Claims, error) {
	token, err := bearer(r)
	if err != nil {
		return "", control.Claims{}, err
	}
	claims, err := h.rooms.Permit(token, room, seat)
	switch {
	case errors.Is(err, control.ErrExpired):
		err = errOldTicket
	case errors.Is(err, control.ErrMalformed), errors.Is(err, control.ErrSignature):
		err = errBadTicket
	case err == nil && !(claims.Direct && claims.Admitted):
		err = errForbidden
	}
	return token, claims, err
}

func bearer(r *http.Request) (string, error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", errNoTicket
	}
	return token, nil
}

// read takes a body of the content type.
func read(w http.ResponseWriter, r *http.Request, contentType string) (string, error) {
	if given, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || given != contentType {
		accept := "Accept-Post"
		if r.Method == http.MethodPatch {
			accept = "Accept-Patch"
		}
		w.Header().Set("Accept", contentType)
		w.Header().Set(accept, contentType)
		return "", errType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return "", errTooLarge
	case err != nil:
		return "", errBadOffer.because(err)
	}
	return string(body), nil
}
