package codec

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"testing"
)

// scan is a grey picture like a slice: tissue with noise in air.
func scan(width, height int, noise float64) *image.Gray {
	img, dice := image.NewGray(image.Rect(0, 0, width, height)), rand.New(rand.NewPCG(1, 2))
	for y := range height {
		for x := range width {
			v := 20.0
			if r := math.Hypot(float64(2*x)/float64(width)-1, float64(2*y)/float64(height)-1); r < 0.8 {
				v = 130 + 60*math.Sin(12*r)
			}
			img.Pix[y*img.Stride+x] = byte(min(max(v+noise*dice.NormFloat64(), 0), 255))
		}
	}
	return img
}

func standard(t testing.TB, img image.Image, quality int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// difference is the mean square of what the JPEG shows otherwise than the picture.
func difference(t *testing.T, img *image.Gray, coded []byte) float64 {
	got, err := jpeg.Decode(bytes.NewReader(coded))
	if err != nil {
		t.Fatal(err)
	}
	shown, ok := got.(*image.Gray)
	if !ok || shown.Rect.Size() != img.Rect.Size() {
		t.Fatalf("%T of %v, want grey of %v", got, got.Bounds(), img.Rect)
	}
	sum := 0.0
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			d := float64(shown.Pix[y*shown.Stride+x]) - float64(img.Pix[y*img.Stride+x])
			sum += d * d
		}
	}
	return sum / float64(len(img.Pix))
}

func TestGreyJPEGShowsWhatTheStandardLibrarysShowsInFewerBytes(t *testing.T) {
	for _, size := range []image.Point{{512, 512}, {128, 97}, {1, 1}, {8, 8}, {9, 7}, {3, 300}, {300, 3}, {641, 480}} {
		for _, quality := range []int{1, 10, 50, 75, 90, 100} {
			for _, noise := range []float64{0, 5, 90} {
				img := scan(size.X, size.Y, noise)
				ours, theirs := EncodeGrey(img, quality), standard(t, img, quality)
				if got, want := difference(t, img, ours), difference(t, img, theirs); got > want*1.05+0.1 {
					t.Errorf("%v, quality %d, noise %g: differs by %.2f, the standard library's by %.2f", size, quality, noise, got, want)
				}
				if len(ours) > len(theirs) {
					t.Errorf("%v, quality %d, noise %g: %d bytes, the standard library's %d", size, quality, noise, len(ours), len(theirs))
				}
			}
		}
	}
}

func TestGreyJPEGOfPlainAndHarshPictures(t *testing.T) {
	for name, shade := range map[string]func(x, y int) byte{
		"black": func(int, int) byte { return 0 },
		"white": func(int, int) byte { return 255 },
		"chess": func(x, y int) byte { return byte((x + y) % 2 * 255) },
		"bars":  func(x, _ int) byte { return byte(x % 2 * 255) },
		"tiles": func(x, y int) byte { return byte((x/8 + y/8) % 2 * 255) },
	} {
		img := image.NewGray(image.Rect(0, 0, 80, 72))
		for i := range img.Pix {
			img.Pix[i] = shade(i%80, i/80)
		}
		if d := difference(t, img, EncodeGrey(img, 100)); d > 1 {
			t.Errorf("%s: differs by %.2f", name, d)
		}
	}
}

// A part of a larger picture has rows that do not follow each other.
func TestGreyJPEGOfAPartOfAPicture(t *testing.T) {
	whole := scan(200, 200, 5)
	part := whole.SubImage(image.Rect(30, 40, 131, 97)).(*image.Gray)
	alone := image.NewGray(image.Rect(0, 0, part.Rect.Dx(), part.Rect.Dy()))
	for y := range alone.Rect.Dy() {
		copy(alone.Pix[y*alone.Stride:], part.Pix[y*part.Stride:][:alone.Stride])
	}
	if !bytes.Equal(EncodeGrey(part, 90), EncodeGrey(alone, 90)) {
		t.Error("the part is coded otherwise than the same picture alone")
	}
}

func BenchmarkGreyJPEG(b *testing.B) {
	img := scan(512, 512, 8)
	b.Run("ours", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n = len(EncodeGrey(img, 90))
		}
		b.ReportMetric(float64(n), "bytes")
	})
	b.Run("image/jpeg", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n = len(standard(b, img, 90))
		}
		b.ReportMetric(float64(n), "bytes")
	})
}
