package imaging

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"yuanzhen/internal/authz"
	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

// BenchmarkStore stores slices of half a megabyte, each new.
func BenchmarkStore(b *testing.B) {
	h := open(b, storagetest.New(b))
	ctx := authz.WithSubject(context.Background(), h.people["county"])
	slice := files["ct-series-3/01.dcm"]
	b.SetBytes(int64(len(slice)))
	n := 0
	for b.Loop() {
		n++
		raw, err := dicom.Rewrite(slice, map[dicom.Tag]string{dicom.SOPInstanceUID: fmt.Sprint("1.2.3.", n)})
		if err != nil {
			b.Fatal(err)
		}
		if r, err := h.service.Store(ctx, h.county, bytes.NewReader(raw)); err != nil || !r.Stored {
			b.Fatal(r, err)
		}
	}
}
