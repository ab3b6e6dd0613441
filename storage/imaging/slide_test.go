package imaging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"yuanzhen/storage/imaging/dicom"
	"yuanzhen/storage/storagetest"
)

// tiles of a slide of 40,000 x 30,000 pixels in 256 x 256: what 3.6 GB of colour are cut into.
const tiles = 157 * 118

// tile is a frame that says which it is. It begins as a JPEG does and is none: the server hands tiles on unread.
func tile(n int) []byte { return fmt.Appendf([]byte{0xFF, 0xD8}, "tile %06d of a slide", n) }

// slide makes a slide whose frames lie one in a fragment, found by the table named.
func slide(t testing.TB, table, sop string) []byte {
	t.Helper()
	values := map[dicom.Tag]string{dicom.SOPClassUID: "1.2.840.10008.5.1.4.1.1.77.1.6", dicom.SOPInstanceUID: sop,
		dicom.StudyInstanceUID: "1.2.77", dicom.SeriesInstanceUID: "1.2.77.1", dicom.Modality: "SM", dicom.NumberOfFrames: fmt.Sprint(tiles),
		dicom.Rows: "\x00\x01", dicom.Columns: "\x00\x01", 0x00280002: "\x03\x00", 0x00280004: "YBR_FULL_422", 0x00280100: "\x08\x00",
		0x00280101: "\x08\x00", 0x00280102: "\x07\x00", 0x00280103: "\x00\x00"}
	var fragments, basic, extended, lengths []byte
	for n := range tiles {
		b := tile(n + 1)
		basic = binary.LittleEndian.AppendUint32(basic, uint32(len(fragments)))
		extended = binary.LittleEndian.AppendUint64(extended, uint64(len(fragments)))
		lengths = binary.LittleEndian.AppendUint64(lengths, uint64(len(b)))
		fragments = append(fragments, item(len(b))...)
		fragments = append(fragments, b...)
	}
	if table != "basic" {
		basic = nil
	}
	raw, err := dicom.Compose(values, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Compose writes uncompressed files: this one says that its frames are JPEG.
	raw = bytes.Replace(raw, append([]byte("UI\x14\x00"), dicom.ExplicitLE+"\x00"...), append([]byte("UI\x16\x00"), dicom.JPEG...), 1)
	binary.LittleEndian.PutUint32(raw[140:], binary.LittleEndian.Uint32(raw[140:])+2)
	if table == "extended" {
		raw = append(append(raw, "\xe0\x7f\x01\x00OV\x00\x00"...), binary.LittleEndian.AppendUint32(nil, 8*tiles)...)
		raw = append(append(raw, extended...), "\xe0\x7f\x02\x00OV\x00\x00"...)
		raw = append(append(raw, binary.LittleEndian.AppendUint32(nil, 8*tiles)...), lengths...)
	}
	raw = append(raw, "\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff"...)
	raw = append(append(append(raw, item(len(basic))...), basic...), fragments...)
	return append(raw, 0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0)
}

func item(length int) []byte {
	return binary.LittleEndian.AppendUint32([]byte{0xfe, 0xff, 0x00, 0xe0}, uint32(length))
}

func TestATileOfASlideIsFoundAmongEighteenThousand(t *testing.T) {
	h := open(t, storagetest.New(t))
	for n, table := range []string{"basic", "extended", "no"} {
		sop := fmt.Sprint("1.2.77.1.", n+1)
		if a, _ := h.stow("county", slide(t, table, sop)); a.status != http.StatusOK {
			t.Fatalf("%s table: %d %s", table, a.status, a.body)
		}
		at := "/dicomweb/studies/1.2.77/series/1.2.77.1/instances/" + sop + "/frames/"
		for _, n := range []int{1, 2, 9000, tiles} {
			if a := h.get("county", at+fmt.Sprint(n), "image/jpeg"); a.status != http.StatusOK || !bytes.Equal(bytes.TrimRight(a.body, "\x00"), tile(n)) {
				t.Errorf("%s table, tile %d: %d %q", table, n, a.status, a.body)
			}
		}
		several := h.get("county", at+"9000,3,18000", `multipart/related; type="image/jpeg"`)
		if _, bodies := h.parts(several); len(bodies) != 3 || !bytes.Equal(bodies[0], tile(9000)) || !bytes.Equal(bodies[1], tile(3)) || !bytes.Equal(bodies[2], tile(18000)) {
			t.Errorf("%s table, three tiles: %q", table, bodies)
		}
		if a := h.get("county", at+fmt.Sprint(tiles+1), "image/jpeg"); a.status != http.StatusNotFound {
			t.Errorf("%s table, a tile beyond the last: %d", table, a.status)
		}
	}
	// A tile doesn't cost the index of all of them: that would be an allocation for each.
	at := "/dicomweb/studies/1.2.77/series/1.2.77.1/instances/1.2.77.1.3/frames/"
	var before, after runtime.MemStats
	const asked = 100
	runtime.ReadMemStats(&before)
	for n := range asked {
		h.get("county", at+fmt.Sprint(n*180+1), "image/jpeg")
	}
	runtime.ReadMemStats(&after)
	if each := (after.Mallocs - before.Mallocs) / asked; each > tiles/2 {
		t.Errorf("%d allocations for one tile", each)
	}
}

// BenchmarkTile asks for tiles of a slide, each another one.
func BenchmarkTile(b *testing.B) {
	h := open(b, storagetest.New(b))
	if a, _ := h.stow("county", slide(b, "no", "1.2.77.1.1")); a.status != http.StatusOK {
		b.Fatalf("%d %s", a.status, a.body)
	}
	n := 0
	for b.Loop() {
		n = (n + 7919) % tiles
		if a := h.get("county", "/dicomweb/studies/1.2.77/series/1.2.77.1/instances/1.2.77.1.1/frames/"+fmt.Sprint(n+1), "image/jpeg"); a.status != http.StatusOK {
			b.Fatal(a.status)
		}
	}
}
