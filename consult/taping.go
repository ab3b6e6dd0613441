package consult

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/signaling/control"
)

// Tapes are the recorders that run in this process. Set at construction; Close ends them. Of several processes of the house the one that
// holds the lease of a recording (recording.taped_by) records it, and decides alone; the others ask it to stop by taking the recorder out of the room.
type Tapes struct {
	Recorder control.Recorder
	URL      func() string                      // of this process's own rooms, from inside
	Inspect  func(io.Reader) (Inspected, error) // reads a file as a player would

	mu       sync.Mutex
	name     string                      // guarded by mu: of this process, in leases
	deciding map[matter]chan struct{}    // guarded by mu: closed when the decision has been made
	running  map[ids.Recording]running   // guarded by mu
	again    map[matter]bool             // guarded by mu: to be looked at again with the next beat
	closed   bool                        // guarded by mu
	life     context.Context             // guarded by mu: of what is done beside; nil before
	end      func()                      // guarded by mu: ends life; nil before
	letGo    func(context.Context) error // guarded by mu: lets the leases lapse; nil without a beat
	work     sync.WaitGroup
}

// running is a recorder in its room.
type running struct {
	control.Recording
	of matter
}

const (
	// tapeBeat is how often a process says that it still records.
	tapeBeat = time.Second
	// tapeLease is how long after its last word another process takes over: some beats, so that a slow one loses nothing.
	tapeLease = 5 * time.Second
	// endingTime is how long nobody begins to record anew while the recording is ended: stopping may take 20 s (signaling/recorder).
	endingTime = 30 * time.Second
	// settleTime is how long a room is waited for, and who else decides: where no media node takes the room it would be for ever.
	settleTime = 30 * time.Second
	// askTaper is how often who ends the recording looks whether the other process has let go.
	askTaper = 200 * time.Millisecond
)

// Inspected is what a take holds: frames of sound, and where its recorder was killed the index that has to follow its last part and
// the head that has to replace its first, so that a player may jump.
type Inspected struct {
	Frames      int
	Head, Index []byte
}

// spawn does a piece of work beside the caller, unless the house is closing.
func (t *Tapes) spawn(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.work.Go(f)
	}
}

// alive is the context of what is done beside: it ends with Close.
func (t *Tapes) alive() context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.life == nil {
		t.life, t.end = context.WithCancel(authz.WithScope(context.Background(), authz.System("recording.follow")))
	}
	return t.life
}

// me names this process.
func (t *Tapes) me() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.name == "" {
		t.name = rand.Text()
	}
	return t.name
}

// hold waits until nobody else in this process decides about the recording, or fails when ctx ends.
func (t *Tapes) hold(ctx context.Context, p matter) (release func(), err error) {
	for {
		t.mu.Lock()
		busy := t.deciding[p]
		if busy == nil {
			if t.deciding == nil {
				t.deciding = map[matter]chan struct{}{}
			}
			done := make(chan struct{})
			t.deciding[p] = done
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.deciding, p)
				close(done)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *Tapes) get(id ids.Recording) (r running, here bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, here = t.running[id]
	return r, here
}

// put notes the recorder of a recording, unless the house is closing.
func (t *Tapes) put(id ids.Recording, r running) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	if t.running == nil {
		t.running = map[ids.Recording]running{}
	}
	t.running[id] = r
	return true
}

func (t *Tapes) drop(id ids.Recording) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, id)
}

// lookAgain has the next beat look at the recording anew.
func (t *Tapes) lookAgain(p matter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.again == nil {
		t.again = map[matter]bool{}
	}
	t.again[p] = true
}

// due are the recordings to be looked at now: those left for later, those that have to change as kept says, and those that run here
// without a lease. A recording about which somebody decides is not.
func (t *Tapes) due(kept []keptTape) (list []matter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.again == nil {
		t.again = map[matter]bool{}
	}
	held := map[ids.Recording]bool{}
	for _, k := range kept {
		_, here := t.running[k.ID]
		held[k.ID] = k.Keep
		if !here || !k.Keep {
			t.again[k.matter()] = true
		}
	}
	for id, r := range t.running {
		if !held[id] {
			t.again[r.of] = true
		}
	}
	for p := range t.again {
		if t.deciding[p] == nil {
			delete(t.again, p)
			list = append(list, p)
		}
	}
	return list
}

// Close stops every recorder, waits until its last part is kept, and leaves the recordings to the other processes. What is waited for
// beside, of a room that nobody has, is given up.
func (t *Tapes) Close(ctx context.Context) error {
	t.mu.Lock()
	t.closed = true
	running := t.running
	t.running = nil
	end, letGo := t.end, t.letGo
	t.mu.Unlock()
	if end != nil {
		end()
	}
	var first error
	for _, r := range running {
		if err := r.Stop(ctx); err != nil && first == nil {
			first = err
		}
	}
	t.work.Wait()
	if letGo != nil {
		if err := letGo(ctx); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// KeepTapes renews the leases of what this process records and looks after what has been left by a process that died, until Tapes.Close.
func (s *Service) KeepTapes() {
	t, me := s.Tapes, s.Tapes.me()
	ctx := t.alive()
	t.mu.Lock()
	t.letGo = func(ctx context.Context) error { return lapseTapes(ctx, s.DB, me) }
	t.mu.Unlock()
	t.spawn(func() {
		beat := time.NewTicker(tapeBeat)
		defer beat.Stop()
		for {
			select {
			case <-beat.C:
			case <-ctx.Done():
				return
			}
			kept, err := keepTapes(ctx, s.DB, me)
			if err != nil {
				if ctx.Err() == nil && !pg.Away(err) {
					s.Log.WarnContext(ctx, "leases of recordings not renewed", "error", err)
				}
				continue
			}
			for _, p := range t.due(kept) {
				s.followRecording(p)
			}
		}
	})
}

// followRecording brings recorder and consent together, beside the caller.
func (s *Service) followRecording(p matter) {
	if s.Tapes != nil {
		s.Tapes.spawn(func() {
			ctx := s.Tapes.alive()
			if err := s.settleRecording(ctx, p); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "recording does not follow its room", "room_of", p.String(), "error", err)
			}
		})
	}
}

// settleRecording starts the recorder when everybody present has agreed and stops it when somebody has not. It may be called
// at any time and in any process, also after a restart: what has to be is read anew. Only who gets the lease records. What is not settled in
// settleTime is looked at again; when ctx ends, a recorder is stopped all the same and what was done is noted.
func (s *Service) settleRecording(ctx context.Context, p matter) error {
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	defer func() {
		if wait.Err() != nil {
			s.Tapes.lookAgain(p)
		}
	}()
	release, err := s.Tapes.hold(wait, p)
	if err != nil {
		return err
	}
	defer release()
	me, live := s.Tapes.me(), context.WithoutCancel(ctx)
	var v venue
	var r Recording
	mine, err := claimTape(wait, s.DB, p, me)
	if err == nil {
		err = s.inTx(wait, func(tx tx) (err error) {
			if v, err = s.at(wait, tx, p); err != nil {
				return err
			}
			r, err = s.recording(wait, tx, v)
			return err
		})
	}
	if err != nil || r.ID.IsZero() || r.over() {
		return err
	}
	present, err := s.Rooms.Seats(wait, v.room)
	if err != nil {
		return err
	}
	want := v.begun && r.State != "refused" && !r.ending && allAgreed(v.meet, present, r.Answers)
	tape, here := s.Tapes.get(r.ID)
	if here && !(want && mine) {
		s.Tapes.drop(r.ID)
		s.Tapes.lookAgain(p) // somebody may have agreed meanwhile, and found the lease taken
		err, here = tape.Stop(live), false
	}
	if !mine {
		return errors.Join(err, s.tellTaper(wait, v, r, present, want))
	}
	if want && !here {
		if err = s.startRecorder(wait, v, r); err != nil {
			s.Tapes.lookAgain(p)
		}
	}
	if r.ending {
		s.Tapes.lookAgain(p)
	}
	if !v.begun && r.Started != nil { // nobody ends it after this
		if broken := s.playable(ctx, r); broken != nil {
			if ctx.Err() != nil {
				return broken
			}
			s.Log.WarnContext(ctx, "a recording does not play", "recording", r.ID.String(), "error", broken)
		}
	}
	if err != nil && ctx.Err() != nil { // the lease lapses, and another process goes on
		return err
	}
	changed, lost := s.noteRecording(live, r, want && err == nil, v.begun, err != nil)
	if lost != nil {
		return lost
	}
	if changed {
		s.tellRoom("", v)
	}
	return err
}

// tellTaper lets the process that has the lease know that nothing is to be recorded any more: its recorder is sent out of the room at
// once, and where that can't be heard it finds the word in the database with its next beat.
func (s *Service) tellTaper(ctx context.Context, v venue, r Recording, present []control.SeatState, want bool) error {
	if want && r.State == "running" {
		return nil
	}
	s.Tapes.lookAgain(v.matter) // until that is so or the lease is free
	if want {
		return nil
	}
	err := pauseRecording(ctx, s.DB, r.ID)
	if slices.ContainsFunc(present, func(p control.SeatState) bool { return p.Seat == recorderSeat }) {
		err = errors.Join(err, s.Rooms.Remove(ctx, v.room, recorderSeat))
	}
	return err
}

// allAgreed reports whether those are there who must meet, and everybody present has agreed. Instruments are nobody, and not written down;
// observers' tickets open receiving alone (observer.go), so nothing of them can come into a recording.
func allAgreed(meet []control.Seat, present []control.SeatState, answers []RecordAnswer) bool {
	agreed := map[control.Seat]bool{}
	for _, a := range answers {
		agreed[a.Seat] = a.Agreed
	}
	in := map[control.Seat]bool{}
	for _, p := range present {
		if p.Seat == recorderSeat || isInstrument(p.Seat) || isObserver(p.Seat) || p.Presence == control.Waiting {
			continue
		}
		if !agreed[p.Seat] {
			return false
		}
		in[p.Seat] = true
	}
	return !slices.ContainsFunc(meet, func(seat control.Seat) bool { return !in[seat] })
}

func (s *Service) startRecorder(ctx context.Context, v venue, r Recording) error {
	agreed := map[control.Seat]bool{}
	for _, a := range r.Answers {
		agreed[a.Seat] = a.Agreed
	}
	next := 0
	for _, t := range r.Takes {
		next = max(next, t.Take+1)
	}
	pass, err := s.Desk.Issue(control.Claims{Room: v.room, Seat: recorderSeat, Name: "录音录像", Role: "recorder", Admitted: true, Subscribe: true})
	if err != nil {
		return err
	}
	address := pass.URL
	if address == "" { // no media node of its own has the room
		address = s.Tapes.URL()
	}
	var over atomic.Bool
	ended := func(why error) {
		over.Store(true)
		s.Tapes.drop(r.ID)
		if why != nil {
			s.Log.Warn("a recording ended by itself", "recording", r.ID.String(), "error", why)
		}
		s.followRecording(v.matter)
	}
	tape, err := s.Tapes.Recorder.Record(ctx, address, func() (string, error) { return pass.Ticket, nil }, next, func(seat control.Seat) bool { return agreed[seat] },
		func(p control.Part) error { return s.keepPart(r.ID, v.institution.ID, p) }, ended)
	if err != nil {
		return err
	}
	if !s.Tapes.put(r.ID, running{tape, v.matter}) {
		return tape.Stop(context.WithoutCancel(ctx))
	}
	if over.Load() { // before it was noted
		s.Tapes.drop(r.ID)
	}
	return nil
}

// partTime is how long the store may take: longer, and the recording stops rather than pile up.
const partTime = 15 * time.Second

func (s *Service) keepPart(id ids.Recording, place ids.Institution, p control.Part) error {
	ctx, cancel := context.WithTimeout(context.Background(), partTime)
	defer cancel()
	key, err := s.Files.Put(ctx, place, bytes.NewReader(p.Data), int64(len(p.Data)))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(p.Data)
	old, err := putPart(ctx, s.DB, id, s.Tapes.me(), p, key, sum[:])
	if err == nil && old != "" { // the head, written anew; or this part, where the recording is another process's by now
		err = s.Files.Delete(ctx, old)
	}
	if err == nil && old == key {
		err = errors.New("another process records now")
	}
	return err
}

// finishRecording ends the recording before its visit or teleconsult closes and plays it through once: what can't be played is
// said while the doctor is there. A second try closes all the same, with the recording marked.
func (s *Service) finishRecording(ctx context.Context, p matter) error {
	if s.Tapes == nil {
		return nil
	}
	ctx = authz.WithScope(ctx, authz.System("recording.follow"))
	wait, cancel := context.WithTimeout(ctx, endingTime)
	defer cancel()
	release, err := s.Tapes.hold(wait, p)
	if err != nil {
		return stillKept(err)
	}
	defer release()
	r, err := s.takeOver(wait, p)
	if err != nil || r.ID.IsZero() || r.over() {
		return err
	}
	if tape, here := s.Tapes.get(r.ID); here {
		s.Tapes.drop(r.ID)
		err = tape.Stop(ctx)
	}
	if err == nil {
		err = s.playable(ctx, r)
	}
	if err == nil {
		return endRecording(ctx, s.DB, r.ID, "done", s.Now())
	}
	s.Log.WarnContext(ctx, "a recording does not play", "recording", r.ID.String(), "error", err)
	before, noted := checkFailed(ctx, s.DB, r.ID)
	if noted != nil {
		return noted
	}
	if before {
		return endRecording(ctx, s.DB, r.ID, "damaged", s.Now())
	}
	if lost := releaseTape(ctx, s.DB, r.ID, s.Tapes.me()); lost != nil {
		return lost
	}
	return fault.New(fault.Conflict, "recording_unplayable", "录音录像检查没有通过，还没有结束。", "The recording did not pass its check; nothing has ended yet.").
		WithRemedy("请把要点写下来，再按一次“结束”；这份录音会标为损坏并通知信息科。", "Write the essentials down and press End again; the recording is then marked as damaged.").Because(err)
}

// takeOver gets the lease of a recording that is not over, and until it is released nobody else begins to record. A process that records
// is sent out of the room; it lets go when its last part is kept, or by dying. That is waited for until wait ends.
func (s *Service) takeOver(wait context.Context, p matter) (r Recording, err error) {
	if err := holdOff(wait, s.DB, p); err != nil {
		return r, err
	}
	for {
		mine, err := claimTape(wait, s.DB, p, s.Tapes.me())
		var v venue
		if err == nil {
			err = s.inTx(wait, func(tx tx) (err error) {
				if v, err = s.at(wait, tx, p); err != nil {
					return err
				}
				r, err = selectRecording(wait, tx, p)
				return err
			})
		}
		if err == nil && (mine || r.ID.IsZero() || r.over()) {
			return r, nil
		}
		if err == nil {
			err = s.Rooms.Remove(wait, v.room, recorderSeat)
		}
		if err != nil && wait.Err() == nil {
			return r, err
		}
		select {
		case <-time.After(askTaper):
		case <-wait.Done():
			return r, stillKept(wait.Err())
		}
	}
}

// stillKept is told to who ends a recording that somebody else is busy with.
func stillKept(why error) error {
	return fault.New(fault.Conflict, "recording_busy", "录音录像还在保存，还没有结束。", "The recording is still being kept; nothing has ended yet.").
		WithRemedy("请等几秒，再按一次“结束”。", "Please wait some seconds and press End again.").Because(why)
}

// playable reads every take as a player would, and closes those whose recorder was killed.
func (s *Service) playable(ctx context.Context, r Recording) error {
	id := r.ID
	var takes []Take
	err := s.inTx(ctx, func(tx tx) (err error) {
		takes, err = selectTakes(ctx, tx, id)
		return err
	})
	if err != nil {
		return err
	}
	heard := r.Started == nil && len(takes) == 0 // nobody agreed in time: nothing is missing
	for _, t := range takes {
		var parts []storedPart
		if err := s.inTx(ctx, func(tx tx) (err error) {
			parts, err = selectParts(ctx, tx, id, t.Take)
			return err
		}); err != nil {
			return err
		}
		found, err := s.Tapes.Inspect(&tape{ctx: ctx, files: s.Files, parts: parts})
		if err != nil {
			return fmt.Errorf("take %d: %w", t.Take, err)
		}
		heard = heard || found.Frames > 0
		if err := s.closeTake(ctx, id, t, len(parts), found); err != nil { // it plays all the same
			s.Log.WarnContext(ctx, "a take stays without index", "recording", id.String(), "take", t.Take, "error", err)
		}
	}
	if !heard {
		return fmt.Errorf("no sound in %d takes", len(takes))
	}
	return nil
}

// closeTake keeps what a take lacks, the index before the head that leads to it. Where a part is missing in the middle, what lies behind
// it would follow the index: that take stays as it is.
func (s *Service) closeTake(ctx context.Context, id ids.Recording, t Take, parts int, found Inspected) error {
	if found.Head == nil {
		return nil
	}
	span, err := selectSpan(ctx, s.DB, id, t.Take)
	if err != nil || span.Parts != parts {
		return err
	}
	p := control.Part{Take: t.Take, Seat: t.Seat, Type: t.Type, Start: span.Start, End: span.End}
	if found.Index != nil {
		p.Number, p.Data = parts, found.Index
		if err := s.keepPart(id, span.Place, p); err != nil {
			return err
		}
	}
	p.Number, p.Data = 0, found.Head
	return s.keepPart(id, span.Place, p)
}
