// Package paper draws on sheets of A5: a prescription with what the law asks to stand on it, the evidence code as QR and
// the mark of the hospital's electronic seal (Sheet), and a signed report of as many sheets as it needs (Report). The paper is a copy to read and to check; what counts is the signed text.
//
// Letters and digits are drawn in Open Sans (SIL Open Font License 1.1), Chinese in Droid Sans Fallback (Apache License
// 2.0), which has 䓬, without which 地尔硫䓬 has a hole; what is used of them is embedded in each sheet. Both lie in font/
// with their licences. A character that neither has is written as its code, never left out.
package paper

import (
	"bytes"
	"compress/zlib"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/signintech/gopdf"
	"github.com/signintech/gopdf/fontmaker/core"
	"github.com/skip2/go-qrcode"
)

// Sheet is everything that stands on the paper. Texts are Chinese; a date is of the day in China.
type Sheet struct {
	Hospital, No, Kind        string // kind: 普通处方, 急诊处方, 长期处方
	Patient, Sex, Age, Weight string
	Department                string
	Diagnosis                 []string
	Issued, ValidUntil        time.Time
	Lines                     []Line
	DaysReason                string
	Doctor, Pharmacist        string // with title
	SignedAt, ReviewedAt      time.Time
	SealedAt                  time.Time // zero: no seal
	SealAlg, SealKey          string
	Simulated                 bool     // the authority is the demo's: said in red
	Void                      string   // in place of validity: 已作废
	Code                      string   // what the QR holds
	Words                     []string // statements at the foot
}

// Line is one medicine.
type Line struct {
	Name, Form, Quantity string
	Use                  string
}

//go:embed font/OpenSans-Regular.ttf
var openSans []byte

//go:embed font/DroidSansFallbackFull.ttf
var droid []byte

// faces in the order in which they are asked for a character.
var faces = []struct {
	name string
	data *[]byte
}{{"latin", &openSans}, {"han", &droid}}

// fonts are read once: the characters of each, and the tables for new sheets.
var fonts = sync.OnceValues(func() (*typeset, error) {
	set := &typeset{}
	for _, face := range faces {
		var parser core.TTFParser
		if err := parser.ParseFontData(*face.data); err != nil {
			return nil, fmt.Errorf("font %s: %w", face.name, err)
		}
		set.has = append(set.has, parser.Chars())
		if err := set.kept.AddTTFFontData(face.name, *face.data); err != nil {
			return nil, fmt.Errorf("font %s: %w", face.name, err)
		}
	}
	return set, nil
})

type typeset struct {
	has  []map[int]uint // by face: glyph of each character
	kept gopdf.FontContainer
}

// run is a stretch of text in one face.
type run struct {
	face int
	text string
}

// runs divides words by the face that has each character. What neither has, or what a PDF's text layer can't say, is
// written as its code.
func (set *typeset) runs(words string) (list []run) {
	add := func(face int, text string) {
		if n := len(list); n > 0 && list[n-1].face == face {
			list[n-1].text += text
			return
		}
		list = append(list, run{face, text})
	}
	for _, r := range words {
		if r == '\u00a0' {
			r = ' '
		}
		face := slices.IndexFunc(set.has, func(has map[int]uint) bool { return has[int(r)] != 0 })
		if r > 0xffff || face < 0 {
			add(0, fmt.Sprintf("[U+%04X]", r))
			continue
		}
		add(face, string(r))
	}
	return list
}

// Size of A5 in points, and the margin.
const (
	width, height = 419.53, 595.28
	margin        = 30.0
)

var (
	black = [3]uint8{0x14, 0x20, 0x2b}
	grey  = [3]uint8{0x3a, 0x47, 0x52}
	red   = [3]uint8{0xb0, 0x12, 0x1a}
)

// pen draws from the top of a sheet downwards.
type pen struct {
	pdf *gopdf.GoPdf
	set *typeset
	y   float64
	err error
}

// PDF draws the sheet.
func (s Sheet) PDF() ([]byte, error) {
	set, err := fonts()
	if err != nil {
		return nil, err
	}
	p := &pen{pdf: &gopdf.GoPdf{}, set: set, y: margin - 6}
	p.pdf.Start(gopdf.Config{PageSize: gopdf.Rect{W: width, H: height}})
	p.pdf.SetCompressLevel(zlib.BestSpeed) // a third less time for a tenth more bytes
	p.pdf.SetInfo(gopdf.PdfInfo{Title: s.No, Creator: "Yuanzhen", CreationDate: s.SignedAt})
	p.pdf.AddPage()
	for _, face := range faces {
		if err := p.pdf.AddTTFFontFromFontContainer(face.name, &set.kept); err != nil {
			return nil, err
		}
	}
	s.head(p)
	s.body(p)
	s.foot(p)
	if p.err != nil {
		return nil, fmt.Errorf("prescription %s on paper: %w", s.No, p.err)
	}
	var out bytes.Buffer
	if _, err := p.pdf.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("prescription %s on paper: %w", s.No, err)
	}
	return out.Bytes(), nil
}

func (s Sheet) head(p *pen) {
	p.centre(s.Hospital, 15, black)
	p.y += 20
	p.centre("处  方  笺", 13, black)
	p.write(width-margin-p.wide(s.Kind, 10), p.y+2, s.Kind, 10, black)
	p.y += 20
	p.rule(0.9)
	p.pair("处方号", s.No, margin, 200)
	p.pair("开具日期", day(s.Issued), margin+210, 150)
	p.y += 15
	p.pair("姓名", s.Patient, margin, 110)
	p.pair("性别", s.Sex, margin+125, 40)
	p.pair("年龄", s.Age, margin+185, 60)
	if s.Weight != "" {
		p.pair("体重", s.Weight, margin+265, 90)
	}
	p.y += 15
	p.pair("科别", s.Department, margin, 170)
	p.pair("有效期至", s.validity(), margin+210, 150)
	p.y += 15
	p.write(margin, p.y, "临床诊断", 8.5, grey)
	p.y = p.flow(margin+42, p.y-1, width-2*margin-42, strings.Join(s.Diagnosis, "；"), 10, 13, black)
	p.rule(0.5)
}

func (s Sheet) validity() string {
	if s.Void != "" {
		return s.Void
	}
	return s.ValidUntil.In(china).Format("2006-01-02 15:04")
}

func (s Sheet) body(p *pen) {
	p.write(margin, p.y, "Rp.", 13, black)
	p.y += 18
	for i, line := range s.Lines {
		name := fmt.Sprintf("%d. %s", i+1, line.Name)
		if line.Form != "" {
			name += " " + line.Form
		}
		end := width - margin
		if line.Quantity != "" {
			end -= p.wide("× "+line.Quantity, 10.5) + 8
			p.write(end+8, p.y, "× "+line.Quantity, 10.5, black)
		}
		p.y = p.flow(margin+8, p.y, end-margin-8, name, 11, 14, black)
		p.y = p.flow(margin+22, p.y, width-2*margin-22, "用法："+line.Use, 9.5, 13, black) + 3
	}
	if s.DaysReason != "" {
		p.y = p.flow(margin+8, p.y, width-2*margin-8, "延长用量理由："+s.DaysReason, 9, 12, grey)
	}
	p.centre("（以下空白）", 8.5, grey)
}

// foot stands at the bottom, whatever is above.
func (s Sheet) foot(p *pen) {
	const box = 106 // points, 37 mm: modules of 0.4 mm print and scan
	top := height - 186.0
	if p.y+12 > top {
		p.err = fmt.Errorf("the lines need %.0f points more than the sheet has", p.y+12-top)
		return
	}
	p.y = top
	p.rule(0.5)
	p.code(s.Code, margin, p.y, box)
	left := margin + box + 14
	y := p.y
	for _, signer := range []struct {
		what, who string
		at        time.Time
	}{{"医师（电子签名）", s.Doctor, s.SignedAt}, {"审核药师（电子签名）", s.Pharmacist, s.ReviewedAt}} {
		p.write(left, y, signer.what, 8.5, grey)
		p.write(left, y+11, signer.who, 11, black)
		if !signer.at.IsZero() {
			p.write(left, y+25, signer.at.In(china).Format("2006-01-02 15:04:05"), 8, grey)
		}
		y += 40
	}
	p.write(left, y, "调配／核对发药", 8.5, grey)
	p.line(left+62, y+11, left+150, y+11, 0.5)
	if !s.SealedAt.IsZero() {
		s.seal(p, width-margin-44, p.y+46)
	}
	y = p.y + box + 4
	if !s.SealedAt.IsZero() {
		p.write(margin, y, fmt.Sprintf("医院电子印章 %s %s  证书 %s", s.SealAlg, s.SealedAt.In(china).Format("2006-01-02 15:04:05"), s.SealKey), 7, grey)
		y += 10
	}
	if s.Simulated {
		p.write(margin, y, "演示：证书由模拟的认证机构签发，没有法律效力，不能取药。", 8, red)
		y += 11
	}
	for _, words := range s.Words {
		y = p.flow(margin, y, width-2*margin, words, 7, 9.5, grey)
	}
	if y > height-8 {
		p.err = fmt.Errorf("the statements at the foot run %.0f points over the sheet", y-height+8)
	}
}

// seal draws the mark of the electronic seal: the hospital's name on a circle. It stands for the signature in the proof
// file and is none itself.
func (s Sheet) seal(p *pen, x, y float64) {
	const radius = 40.0
	p.pdf.SetStrokeColor(red[0], red[1], red[2])
	p.pdf.SetLineWidth(1.6)
	p.pdf.Oval(x-radius, y-radius, x+radius, y+radius)
	p.pdf.SetStrokeColor(black[0], black[1], black[2])
	name := []rune(s.Hospital)
	size := min(9.5, 190/float64(len(name)))
	step := min(26, 250/float64(len(name))) // degrees between characters
	for i, r := range name {
		turn := (float64(i) - float64(len(name)-1)/2) * step // clockwise from the top
		a := turn * math.Pi / 180
		cx, cy := x+(radius-size*0.95)*math.Sin(a), y-(radius-size*0.95)*math.Cos(a)
		p.pdf.Rotate(-turn, cx, cy)
		p.write(cx-size/2, cy-size*0.6, string(r), size, red)
		p.pdf.RotateReset()
	}
	for i, words := range []string{"电子印章", s.SealedAt.In(china).Format("2006-01-02")} {
		at := 8.5 - float64(i)*1.5
		p.write(x-p.wide(words, at)/2, y+2+float64(i)*11, words, at, red)
	}
}

// code draws the QR as rectangles: sharp at any size, and no picture to unpack.
func (p *pen) code(content string, x, y, size float64) {
	if content == "" {
		return
	}
	q, err := qrcode.New(content, qrcode.Low)
	if err != nil {
		p.err = err
		return
	}
	q.DisableBorder = true
	bits := q.Bitmap()
	module := size / float64(len(bits))
	p.pdf.SetFillColor(0, 0, 0)
	for row, line := range bits {
		for from := 0; from < len(line); from++ {
			to := from
			for to < len(line) && line[to] {
				to++
			}
			if to > from {
				p.pdf.RectFromUpperLeftWithStyle(x+float64(from)*module, y+float64(row)*module, float64(to-from)*module, module+0.03, "F")
				from = to
			}
		}
	}
}

func (p *pen) pair(label, value string, x, room float64) {
	p.write(x, p.y, label, 8.5, grey)
	from := x + p.wide(label, 8.5) + 5
	size := 10.5
	for p.wide(value, size) > room-(from-x) && size > 6 {
		size -= 0.5
	}
	p.write(from, p.y-1, value, size, black)
}

func (p *pen) centre(words string, size float64, colour [3]uint8) {
	p.write((width-p.wide(words, size))/2, p.y, words, size, colour)
}

func (p *pen) rule(thick float64) {
	p.line(margin, p.y, width-margin, p.y, thick)
	p.y += 6
}

func (p *pen) line(x0, y0, x1, y1, thick float64) {
	p.pdf.SetLineWidth(thick)
	p.pdf.Line(x0, y0, x1, y1)
}

// write puts words at a place, in one line: both faces on the baseline of the Chinese one.
func (p *pen) write(x, y float64, words string, size float64, colour [3]uint8) {
	p.pdf.SetTextColor(colour[0], colour[1], colour[2])
	p.each(words, size, func(text string, wide float64) error {
		p.pdf.SetXY(x, y+size*0.9)
		x += wide
		return p.pdf.Text(text)
	})
}

// wide is how much room words take.
func (p *pen) wide(words string, size float64) (room float64) {
	p.each(words, size, func(_ string, wide float64) error {
		room += wide
		return nil
	})
	return room
}

// each sets the face of each run and measures it.
func (p *pen) each(words string, size float64, do func(text string, wide float64) error) {
	for _, r := range p.set.runs(words) {
		if p.err != nil {
			return
		}
		if p.err = p.pdf.SetFont(faces[r.face].name, "", size); p.err != nil {
			return
		}
		wide, err := p.pdf.MeasureTextWidth(r.text)
		if err == nil {
			err = do(r.text, wide)
		}
		p.err = err
	}
}

// flow writes words in as many lines as they need and says where the next one begins.
func (p *pen) flow(x, y, room float64, words string, size, step float64, colour [3]uint8) float64 {
	for _, line := range p.lines(room, words, size) {
		p.write(x, y, line, size, colour)
		y += step
	}
	return y
}

// lines cuts words into lines that fit; a line feed ends one too.
func (p *pen) lines(room float64, words string, size float64) (list []string) {
	for paragraph := range strings.SplitSeq(words, "\n") {
		line := ""
		for _, piece := range pieces(paragraph) {
			if line != "" && p.wide(strings.TrimRightFunc(line+piece, unicode.IsSpace), size) > room {
				list, line = append(list, strings.TrimSpace(line)), ""
			}
			line += piece
		}
		list = append(list, strings.TrimSpace(line))
	}
	return list
}

// pieces cuts words where a line may end: behind each Chinese character and each space, never within a number with its
// unit (which a no-break space ties) and never before a closing mark.
func pieces(words string) (list []string) {
	current := ""
	cut := func() {
		if current != "" {
			list = append(list, current)
			current = ""
		}
	}
	for _, r := range words {
		switch {
		case strings.ContainsRune("，。；：、）》」！？％", r):
			if current == "" && len(list) > 0 {
				list[len(list)-1] += string(r)
			} else {
				current += string(r)
				cut()
			}
		case unicode.Is(unicode.Han, r):
			if !strings.HasSuffix(current, "（") && !strings.HasSuffix(current, "\u00a0") {
				cut()
			}
			current += string(r)
		case r == ' ':
			current += " "
			cut()
		case r == '（':
			cut()
			current = "（"
		default:
			if first, _ := lastRune(current); unicode.Is(unicode.Han, first) {
				cut()
			}
			current += string(r)
		}
	}
	cut()
	return list
}

func lastRune(s string) (rune, bool) {
	runes := []rune(s)
	if len(runes) == 0 {
		return 0, false
	}
	return runes[len(runes)-1], true
}

var china = time.FixedZone("+08:00", 8*60*60)

func day(t time.Time) string { return t.In(china).Format(time.DateOnly) }
