package paper

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"time"

	"github.com/signintech/gopdf"
)

// Report is a signed report on as many sheets as it needs: the facts at the head, then its parts, each with who signed it.
type Report struct {
	Hospital, Title, No string
	Facts               [][2]string // label and value
	Parts               []Part
	Words               []string // statements at the foot
	Simulated           bool     // the signers' certificates are the demo's: said in red
	At                  time.Time
}

// Part is one signed text, a paragraph each.
type Part struct {
	Heading string
	Text    []string
	Signed  string // who, when, and the hash of what was signed
}

// PDF draws the report.
func (r Report) PDF() ([]byte, error) {
	set, err := fonts()
	if err != nil {
		return nil, err
	}
	p := &pen{pdf: &gopdf.GoPdf{}, set: set, y: margin}
	p.pdf.Start(gopdf.Config{PageSize: gopdf.Rect{W: width, H: height}})
	p.pdf.SetCompressLevel(zlib.BestSpeed)
	p.pdf.SetInfo(gopdf.PdfInfo{Title: r.No, Creator: "Yuanzhen", CreationDate: r.At})
	p.pdf.AddPage()
	for _, face := range faces {
		if err := p.pdf.AddTTFFontFromFontContainer(face.name, &set.kept); err != nil {
			return nil, err
		}
	}
	p.centre(r.Hospital, 14, black)
	p.y += 20
	p.centre(r.Title, 13, black)
	p.y += 22
	p.rule(0.9)
	for _, fact := range r.Facts {
		r.para(p, fact[0]+"："+fact[1], 10, 14, black)
	}
	p.rule(0.5)
	for _, part := range r.Parts {
		r.room(p, 40) // a heading never stands alone at the end of a sheet
		r.para(p, part.Heading, 11.5, 17, black)
		for _, text := range part.Text {
			r.para(p, text, 10, 14, black)
		}
		if part.Signed != "" {
			r.para(p, part.Signed, 7.5, 10.5, grey)
		}
		p.y += 6
	}
	p.rule(0.5)
	if r.Simulated {
		r.para(p, "演示：证书由模拟的认证机构签发，没有法律效力。", 8, 11, red)
	}
	for _, words := range r.Words {
		r.para(p, words, 7.5, 10.5, grey)
	}
	if p.err != nil {
		return nil, fmt.Errorf("report %s on paper: %w", r.No, p.err)
	}
	var out bytes.Buffer
	if _, err := p.pdf.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("report %s on paper: %w", r.No, err)
	}
	return out.Bytes(), nil
}

// room begins a new sheet if less is left than asked for; each says whose report it is.
func (r Report) room(p *pen, points float64) {
	if p.y+points < height-margin {
		return
	}
	p.pdf.AddPage()
	p.y = margin
	p.write(margin, p.y, r.No+"（续）", 8, grey)
	p.y += 16
}

// para writes a paragraph line by line, over the end of a sheet.
func (r Report) para(p *pen, words string, size, step float64, colour [3]uint8) {
	for _, line := range p.lines(width-2*margin, words, size) {
		r.room(p, step)
		p.write(margin, p.y, line, size, colour)
		p.y += step
	}
}
