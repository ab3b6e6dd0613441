package control

import (
	"context"
	"time"
)

// Part is a piece of a recording. The parts of a take, put together in order, are one WebM file; any number of them from the
// first on is one too, so that what was stored before a crash can be played.
type Part struct {
	Take   int    // counts takes of the recording: a seat's sound and picture for as long as they stay the same
	Seat   Seat   // who is heard and seen
	Number int    // within the take, from 0; 0 comes once more at the end, with what is known by then, in place of the first
	Type   string // media type of the file
	Start  time.Time
	End    time.Time // of the last frame in the part
	Data   []byte
}

// Recorder takes a seat in a room, where everybody sees it, and writes down what the seats it is allowed to hear send.
type Recorder interface {
	// Record joins with the ticket and hands parts to keep, one at a time and in order within a take; each is given as soon
	// as it is a few seconds long. firstTake numbers the first one. allowed is asked for every track: who is not allowed is not
	// written down. ended is called once when the recording ends by itself, because the room closed or a part could not be kept.
	Record(ctx context.Context, url string, ticket func() (string, error), firstTake int, allowed func(Seat) bool, keep func(Part) error, ended func(error)) (Recording, error)
}

// Recording runs until it is stopped.
type Recording interface {
	// Stop leaves the room and returns when the last part was kept.
	Stop(ctx context.Context) error
}
