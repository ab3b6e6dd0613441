package imaging

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/storage/imaging/codec"
	"yuanzhen/storage/imaging/dicom"
)

// drawing is a picture that somebody asked for, by all that decides its bytes.
type drawing struct {
	sum           [32]byte // of the object
	frame         int      // from 0
	kind          string   // image/jpeg, image/png
	window        dicom.Window
	windowed      bool
	width, height int // the box it has to fit into; 0: as large as it is
	quality       int
}

// atOnceDrawn is how far into a file its frame may end for head and frame to be read in one go: a slice of CT or MR.
const atOnceDrawn = 2 << 20

// fastGrey is up to how many pixels a drawing may hold four bytes more for each while it is coded.
const fastGrey = 4 << 20

// maxView bounds the box of a drawing, and so what a drawing costs.
const maxView = 4096

// serveRendered draws a frame for plain <img>: the first without a number (PS3.18 §10.4.1.1.3).
func (s *Service) serveRendered(w http.ResponseWriter, r *http.Request) error {
	i, err := s.one(r, true)
	if err != nil {
		return err
	}
	return s.draw(w, r, i, drawing{quality: 90})
}

// serveThumbnail draws 128 x 128 unless another box is named: of a study or series, its middle picture
// (PS3.18 §10.4.1.1.5).
func (s *Service) serveThumbnail(w http.ResponseWriter, r *http.Request) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	all, err := s.read(r.Context(), p, true)
	if err != nil {
		return err
	}
	for n := range all {
		if i := all[(len(all)/2+n)%len(all)]; len(i.FrameIndex) > 0 {
			return s.draw(w, r, i, drawing{quality: 75, width: 128, height: 128})
		}
	}
	return fault.Missing()
}

// draw answers with the drawing, as the query parameters of PS3.18 §8.3.5 change it.
func (s *Service) draw(w http.ResponseWriter, r *http.Request, i instance, d drawing) error {
	wanted, err := frameList(cmp.Or(r.PathValue("frames"), "1"), len(i.FrameIndex))
	if err != nil {
		return err
	}
	d.sum, d.frame = [32]byte(i.SHA256), wanted[0]
	if err := d.asked(r); err != nil {
		return err
	}
	guard(w)
	for _, m := range accepted(r) {
		kind, parts := m.multipart()
		if d.kind = "image/jpeg"; !m.takes(kind, d.kind) {
			if d.kind = "image/png"; !m.takes(kind, d.kind) {
				continue
			}
		}
		if parts = parts || m.kind == "*/*" && len(wanted) > 1; !parts && len(wanted) > 1 {
			continue
		}
		if unchanged(w, r, etag([]instance{i}, fmt.Sprint(d, wanted, parts))) {
			return nil
		}
		b, err := s.drawing(r.Context(), i, d)
		if errors.Is(err, dicom.ErrNotDrawn) {
			return notAcceptable(w, r, dicom.FrameType(i.TransferSyntax))
		}
		if err != nil {
			return err
		}
		if !parts {
			w.Header().Set("Content-Type", d.kind)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
			return nil
		}
		return inParts(w, r, d.kind, func(part func(textproto.MIMEHeader) (io.Writer, error)) error {
			for n := range wanted {
				if d.frame = wanted[n]; n > 0 {
					if b, err = s.drawing(r.Context(), i, d); err != nil {
						return err
					}
				}
				out, err := part(textproto.MIMEHeader{"Content-Type": {d.kind}, "Content-Length": {strconv.Itoa(len(b))}})
				if err != nil {
					return err
				}
				if _, err := out.Write(b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return notAcceptable(w, r, "image/jpeg", "image/png", `multipart/related; type="image/jpeg"`)
}

// drawing is a picture from those that were drawn last, or drawn now.
func (s *Service) drawing(ctx context.Context, i instance, d drawing) ([]byte, error) {
	if b, ok := s.drawn.get(d); ok {
		return b, nil
	}
	b, err := s.made(ctx, i, d)
	if err == nil {
		s.drawn.put(d, b)
	}
	return b, err
}

func (s *Service) made(ctx context.Context, i instance, d drawing) ([]byte, error) {
	f, err := s.opened(ctx, i)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if runs := i.FrameIndex[d.frame]; f.inflated == nil && runs[len(runs)-1].Offset+runs[len(runs)-1].Length <= atOnceDrawn {
		last := runs[len(runs)-1]
		if f.begin, err = f.bytes(0, last.Offset+last.Length); err != nil {
			return nil, err
		}
	}
	head, err := f.head()
	if err != nil {
		return nil, err
	}
	need := pixels(head)
	if !f.lies(form{native: true}) {
		need += weight(head, f.decoder.Knows(i.TransferSyntax))
	}
	for _, run := range i.FrameIndex[d.frame] {
		need += run.Length
	}
	if need > largeThing {
		giveBack, err := makeRoom(ctx, need)
		if err != nil {
			return nil, err
		}
		defer giveBack()
	}
	data, err := f.stored(d.frame)
	if err != nil {
		return nil, err
	}
	var window *dicom.Window
	if d.windowed {
		window = &d.window
	}
	img, err := head.Render(d.frame, data, window)
	if errors.Is(err, dicom.ErrNotDrawn) && f.decoder.Knows(i.TransferSyntax) {
		if data, err = f.decoded(head, data); err != nil {
			return nil, err
		}
		img, err = head.Draw(d.frame, data, window)
	}
	if errors.Is(err, dicom.ErrNotDrawn) {
		return nil, err
	}
	if err != nil {
		return nil, unreadableFrame.Because(err)
	}
	img = fitted(img, d.width, d.height)
	var out bytes.Buffer
	grey, isGrey := img.(*image.Gray)
	switch {
	case d.kind == "image/png":
		err = png.Encode(&out, img)
	case isGrey && len(grey.Pix) <= fastGrey:
		return codec.EncodeGrey(grey, d.quality), nil
	default:
		err = jpeg.Encode(&out, img, &jpeg.Options{Quality: d.quality})
	}
	return out.Bytes(), err
}

// pixels is how many bytes the drawn picture has.
func pixels(head *dicom.File) int64 {
	columns, rows, _, _, err := head.Shape()
	if err != nil {
		return 0 // it isn't drawn
	}
	n := int64(columns) * int64(rows)
	if !head.Grey() {
		n *= 4
	}
	return n
}

var badDrawing = fault.New(fault.Malformed, "bad_drawing", "窗宽窗位、画面大小或质量参数不合规。", "The parameters window, viewport or quality are not valid.").
	WithRemedy("window=窗位,窗宽,linear；viewport=宽,高（最大 4096）；quality=1 到 100。", "window=center,width,linear; viewport=width,height of at most 4096; quality from 1 to 100.")

// asked reads window=center,width[,linear] (only the linear function is drawn), viewport=width,height and quality.
func (d *drawing) asked(r *http.Request) error {
	q := r.URL.Query()
	if s := q.Get("window"); s != "" {
		parts := strings.Split(s, ",")
		if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && !strings.EqualFold(parts[2], "linear") {
			return badDrawing
		}
		c, err1 := strconv.ParseFloat(parts[0], 64)
		width, err2 := strconv.ParseFloat(parts[1], 64)
		if err1 != nil || err2 != nil || !(width >= 1 && width < 1e9) || !(c > -1e9 && c < 1e9) {
			return badDrawing
		}
		d.window, d.windowed = dicom.Window{Center: c, Width: width}, true
	}
	if s := q.Get("viewport"); s != "" {
		width, height, both := strings.Cut(s, ",")
		w, err1 := strconv.Atoi(width)
		h, err2 := strconv.Atoi(height)
		if !both || err1 != nil || err2 != nil || w < 1 || h < 1 || w > maxView || h > maxView {
			return badDrawing
		}
		d.width, d.height = w, h
	}
	if s := q.Get("quality"); s != "" {
		quality, err := strconv.Atoi(s)
		if err != nil || quality < 1 || quality > 100 {
			return badDrawing
		}
		d.quality = quality
	}
	return nil
}

// fitted shrinks a picture into the box, each pixel the mean of those it stands for. It is never enlarged: that adds
// bytes and shows nothing more.
func fitted(img image.Image, width, height int) image.Image {
	b := img.Bounds()
	if width == 0 || b.Dx() <= width && b.Dy() <= height {
		return img
	}
	w, h := width, max(b.Dy()*width/b.Dx(), 1)
	if h > height {
		w, h = max(b.Dx()*height/b.Dy(), 1), height
	}
	grey, isGrey := img.(*image.Gray)
	small := image.NewGray(image.Rect(0, 0, w, h))
	var coloured *image.RGBA
	if !isGrey {
		coloured = image.NewRGBA(small.Rect)
	}
	for y := range h {
		top, bottom := y*b.Dy()/h, max((y+1)*b.Dy()/h, y*b.Dy()/h+1)
		for x := range w {
			left, right := x*b.Dx()/w, max((x+1)*b.Dx()/w, x*b.Dx()/w+1)
			n := (bottom - top) * (right - left)
			if isGrey {
				sum := 0
				for v := top; v < bottom; v++ {
					for _, p := range grey.Pix[v*grey.Stride+left : v*grey.Stride+right] {
						sum += int(p)
					}
				}
				small.Pix[y*small.Stride+x] = byte(sum / n)
				continue
			}
			var sum [3]int
			for v := top; v < bottom; v++ {
				for u := left; u < right; u++ {
					r, g, bl, _ := img.At(b.Min.X+u, b.Min.Y+v).RGBA()
					sum[0], sum[1], sum[2] = sum[0]+int(r>>8), sum[1]+int(g>>8), sum[2]+int(bl>>8)
				}
			}
			coloured.SetRGBA(x, y, color.RGBA{byte(sum[0] / n), byte(sum[1] / n), byte(sum[2] / n), 255})
		}
	}
	if isGrey {
		return small
	}
	return coloured
}

// drawings keeps what was drawn last: who scrolls back and forth, or opens the same study from two sides, has it at
// once. Who may see it is asked before. 64 MiB are some 3000 slices of CT.
type drawings struct {
	mu    sync.Mutex
	by    map[drawing]*list.Element // guarded by mu, as all below
	order list.List                 // of kept, used last in front
	size  int
}

const maxDrawn = 64 << 20

type kept struct {
	drawing
	bytes []byte
}

func (c *drawings) get(d drawing) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.by[d]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(kept).bytes, true
}

func (c *drawings) put(d drawing, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.by[d]; ok || len(b) > maxDrawn/8 {
		return
	}
	if c.by == nil {
		c.by = map[drawing]*list.Element{}
	}
	c.by[d] = c.order.PushFront(kept{d, b})
	for c.size += len(b); c.size > maxDrawn; {
		last := c.order.Remove(c.order.Back()).(kept)
		delete(c.by, last.drawing)
		c.size -= len(last.bytes)
	}
}
