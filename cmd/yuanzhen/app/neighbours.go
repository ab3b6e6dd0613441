package app

import (
	"context"
	"io"

	"yuanzhen/consult"
	"yuanzhen/internal/ids"
	"yuanzhen/signaling/recorder"
	"yuanzhen/storage"
)

// files keeps evidence in the object store: consult.Files over storage.Objects.
type files struct{ store storage.Objects }

func (f files) Put(ctx context.Context, place ids.Institution, body io.Reader, size int64) (string, error) {
	key := storage.NewKey(place)
	return string(key), f.store.Put(ctx, key, body, size)
}

func (f files) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return f.store.Get(ctx, storage.Key(key), 0, -1)
}

func (f files) Delete(ctx context.Context, key string) error {
	return f.store.Delete(ctx, storage.Key(key))
}

// inspectRecording plays a recording through: what consult.Tapes asks of the recorder.
func inspectRecording(file io.Reader) (consult.Inspected, error) {
	c, err := recorder.Inspect(file)
	return consult.Inspected{Frames: c.Audio, Head: c.Head, Index: c.Index}, err
}

// socketURL is the rooms' socket from inside the process; its page origin is nobody's, as of any program.
func (a *App) socketURL() string { return "ws://" + a.listener.Addr().String() + "/signal" }
