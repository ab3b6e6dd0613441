package photo

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

var picture = func() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for i := range 1200 {
		m.Set(i%40, i/40, color.RGBA{byte(i), byte(i / 3), byte(i * 7), 255})
	}
	return m
}()

func segment(marker byte, body string) string {
	n := len(body) + 2
	return string([]byte{0xFF, marker, byte(n >> 8), byte(n)}) + body
}

// exifOf is a segment in the byte order with orientation, the camera's name and a place.
func exifOf(order binary.AppendByteOrder, mark string, turned uint16) string {
	b := order.AppendUint32(order.AppendUint16([]byte(mark), 42), 8)
	b = order.AppendUint16(b, 3)
	for _, e := range [][2]uint32{{0x010F, 0}, {0x0112, uint32(turned)}, {0x8825, 99}} {
		b = order.AppendUint16(order.AppendUint16(b, uint16(e[0])), 3)
		b = order.AppendUint16(order.AppendUint16(order.AppendUint32(b, 1), uint16(e[1])), 0)
	}
	return segment(exif, "Exif\x00\x00"+string(b)+"SecretCamera 30.2741N 120.1551E")
}

func TestAPhotoKeepsItsPictureAndItsTurnOnly(t *testing.T) {
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, picture, nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		notes string
		turn  uint16
	}{
		"upright":                       {exifOf(binary.LittleEndian, "II", 1), 0},
		"turned, little endian":         {exifOf(binary.LittleEndian, "II", 6), 6},
		"turned, big endian":            {exifOf(binary.BigEndian, "MM", 8), 8},
		"with a comment and XMP beside": {exifOf(binary.BigEndian, "MM", 3) + segment(comment, "Secret") + segment(exif, "http://ns.adobe.com/xap/1.0/\x00Secret"), 3},
		"EXIF that ends early":          {segment(exif, "Exif\x00\x00MM\x00*\x00\x00\xff\xffSecret"), 0},
		"no notes":                      {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			raw := []byte(plain.String()[:2] + c.notes + plain.String()[2:] + "Secret film after the end")
			made, ok := Clean(raw)
			if !ok {
				t.Fatal("refused")
			}
			if bytes.Contains(made, []byte("Secret")) || bytes.Contains(made, []byte("30.2741")) {
				t.Error("notes are left")
			}
			if got := turnOf(made); got != c.turn {
				t.Errorf("turned %d, want %d", got, c.turn)
			}
			if !bytes.HasSuffix(made, plain.Bytes()[2:]) {
				t.Error("another picture")
			}
			if again, ok := Clean(made); !ok || !bytes.Equal(again, made) {
				t.Error("cleaned again it changes")
			}
		})
	}
}

// turnOf is the orientation of a photo's first EXIF segment.
func turnOf(file []byte) uint16 {
	if i := bytes.Index(file, []byte("Exif\x00\x00")); i >= 0 {
		return orientation(file[i:])
	}
	return 0
}

func TestAPNGKeepsItsPictureOnly(t *testing.T) {
	var plain bytes.Buffer
	if err := png.Encode(&plain, picture); err != nil {
		t.Fatal(err)
	}
	chunk := func(kind, body string) string {
		b := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind+body...)
		return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
	}
	at := 8 + 25 // after IHDR
	raw := []byte(plain.String()[:at] + chunk("tEXt", "Author\x00Secret") + chunk("eXIf", "Secret") + plain.String()[at:] + "Secret")
	if made, ok := Clean(raw); !ok || !bytes.Equal(made, plain.Bytes()) {
		t.Errorf("%d bytes, want %d", len(made), plain.Len())
	}
}

func TestWhatIsNoPhotoIsLeftAloneAndABrokenOneIsRefused(t *testing.T) {
	for file, want := range map[string]bool{"%PDF-1.7": true, "": true, "\xff\xd8\xff\xe1\xff\xff": false, "\x89PNG\r\n\x1a\n and so on": false} {
		if made, ok := Clean([]byte(file)); ok != want || ok && string(made) != file {
			t.Errorf("%q: %q %v", file, made, ok)
		}
	}
}

func FuzzClean(f *testing.F) {
	var plain bytes.Buffer
	if err := jpeg.Encode(&plain, picture, nil); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(plain.String()[:2] + exifOf(binary.BigEndian, "MM", 6) + plain.String()[2:]))
	plain.Reset()
	if err := png.Encode(&plain, picture); err != nil {
		f.Fatal(err)
	}
	f.Add(plain.Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		made, ok := Clean(file)
		if len(made) > len(file)+36 {
			t.Errorf("%d bytes became %d", len(file), len(made))
		}
		if c, _, err := image.DecodeConfig(bytes.NewReader(file)); err != nil || c.Width > 256 || c.Height > 256 || !ok {
			return
		}
		was, _, err := image.Decode(bytes.NewReader(file))
		if err != nil {
			return
		}
		is, _, err := image.Decode(bytes.NewReader(made))
		if err != nil || is.Bounds() != was.Bounds() {
			t.Errorf("the picture is gone: %v", err)
		}
	})
}
