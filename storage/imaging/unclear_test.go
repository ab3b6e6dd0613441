package imaging

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"testing"
	"time"

	"yuanzhen/internal/pg/pgtest"
	"yuanzhen/storage"
	"yuanzhen/storage/storagetest"
)

func TestAnObjectStaysWhoseRowMayBeThere(t *testing.T) {
	h := open(t, storagetest.New(t))
	cut := pgtest.NewCut(t, h.service.DB.Config().ConnString())
	h.service.DB = cut.Pool
	for n, name := range []string{"the first of a study", "another of its series"} {
		t.Run(name+": the answer to the commit is lost", func(t *testing.T) {
			raw := series("ct-series-3")[n]
			study, of, sop := uidsOf(t, raw)
			cut.After("imaging.store")
			if r, err := h.service.Store(t.Context(), h.county, bytes.NewReader(raw)); err == nil || r.Stored {
				t.Fatalf("%+v %v", r, err)
			}
			if n := h.objects.deleted.Load(); n != 0 {
				t.Errorf("%d objects were deleted", n)
			}
			if r, err := h.service.Store(t.Context(), h.county, bytes.NewReader(raw)); err != nil || !r.Stored {
				t.Errorf("sent again: %+v %v", r, err)
			}
			if a := h.get("county", "/dicomweb/studies/"+study+"/series/"+of+"/instances/"+sop, `multipart/related; type="application/dicom"`); a.status != 200 {
				t.Errorf("fetched: %d %s", a.status, a.body)
			}
		})
	}
	t.Run("the sender hangs up when the object lies in the store: it is kept all the same", func(t *testing.T) {
		ctx, hangUp := context.WithCancel(t.Context())
		h.service.Objects = hangingUp{h.objects, hangUp}
		if r, err := h.service.Store(ctx, h.county, bytes.NewReader(series("ct-series-3")[2])); err != nil || !r.Stored {
			t.Errorf("%+v %v", r, err)
		}
	})
}

// hangingUp is a store with which the sender's line breaks as soon as an object is there.
type hangingUp struct {
	storage.Objects
	hangUp func()
}

func (o hangingUp) Put(ctx context.Context, key storage.Key, body io.Reader, size int64) error {
	defer o.hangUp()
	return o.Objects.Put(ctx, key, body, size)
}

func TestAnObjectWhoseWriterWasKilledIsRemoved(t *testing.T) {
	h := open(t, storagetest.New(t))
	lost, good := series("ct-series-3")[0], series("ct-series-3")[1]
	h.service.Objects = killing{h.objects}
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		r, err := h.service.Store(t.Context(), h.county, bytes.NewReader(lost))
		t.Errorf("went on: %+v %v", r, err)
	}()
	<-killed
	h.service.Objects = h.objects
	keep := func(raw []byte) {
		t.Helper()
		if r, err := h.service.Store(t.Context(), h.county, bytes.NewReader(raw)); err != nil || !r.Stored {
			t.Fatalf("%+v %v", r, err)
		}
	}
	keep(good)
	for _, want := range []int32{2, 1} {
		if err := h.service.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := h.lying(); n != want {
			t.Errorf("%d objects lie there, want %d", n, want)
		}
		h.now = h.now.Add(strayAge + time.Second)
	}
	keep(lost)
	h.now = h.now.Add(2 * strayAge)
	if err := h.service.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	study, _, _ := uidsOf(t, good)
	if a := h.get("county", "/dicomweb/studies/"+study, `multipart/related; type="application/dicom"`); a.status != 200 || h.lying() != 2 {
		t.Errorf("%d %s; %d objects lie there", a.status, a.body, h.lying())
	}
}

// killing is a store whose writer is killed when the object is there.
type killing struct{ storage.Objects }

func (o killing) Put(ctx context.Context, key storage.Key, body io.Reader, size int64) error {
	if err := o.Objects.Put(ctx, key, body, size); err != nil {
		return err
	}
	runtime.Goexit()
	return nil
}
