package paper

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/signintech/gopdf/fontmaker/core"
)

func full() Sheet {
	at := time.Date(2026, 11, 21, 10, 3, 21, 0, china)
	s := Sheet{Hospital: "云岭县人民医院互联网医院", No: "RX20261121-000042", Kind: "长期处方", Patient: "欧阳建国", Sex: "男", Age: "68岁", Weight: "70 kg",
		Department: "心血管内科", Diagnosis: []string{"I10 高血压", "I48 心房颤动", "E78.5 血脂异常"}, Issued: at, ValidUntil: at.Add(13 * time.Hour),
		DaysReason: "慢性病病情稳定，外地务工，往返不便。", Doctor: "张建国 主任医师", Pharmacist: "刘芳", SignedAt: at, ReviewedAt: at.Add(time.Minute),
		SealedAt: at.Add(time.Minute), SealAlg: "SM2", SealKey: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c", Simulated: true,
		Code: "https://visit.example.org/verify#" + strings.Repeat("im9RSDIwMjYxMTIyLTAwMDd15riF5rKz5bi", 18),
		Words: []string{"处方药须凭处方在药师指导下购买和使用。您可自主选择药店。处方在有效期内使用，过期作废。",
			"本件为电子处方的纸质副本，以医院系统中经医师、药师电子签名并加盖电子印章的处方为准；扫码可验真伪，不能证明没有用过，取药须联网核验取药码。"}}
	for _, name := range []string{"地尔硫䓬", "缬沙坦氢氯噻嗪片", "奈玛特韦片/利托那韦片组合包装", "门冬胰岛素30注射液", "布地奈德福莫特罗粉吸入剂"} {
		s.Lines = append(s.Lines, Line{Name: name, Form: "缓释片", Quantity: "28片", Use: "每次 90 mg，每日 1 次，口服，共 28 天"})
	}
	return s
}

// text reads a sheet back: every string that is drawn, a line each, through its face's own map to Unicode.
func text(t *testing.T, pdf []byte) string {
	t.Helper()
	var maps []map[string]string // by face, in the order of the file
	drawn := ""
	for rest := pdf; ; {
		_, after, ok := bytes.Cut(rest, []byte("stream\n"))
		if !ok {
			break
		}
		raw, after, _ := bytes.Cut(after, []byte("endstream"))
		rest = after
		if r, err := zlib.NewReader(bytes.NewReader(raw)); err == nil {
			if raw, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		switch s := string(raw); {
		case strings.Contains(s, "begincmap"):
			maps = append(maps, toUnicode(t, s))
		case strings.Contains(s, " Tf"):
			drawn += s
		}
	}
	if len(maps) != len(faces) {
		t.Fatalf("%d faces are mapped to Unicode, want %d", len(maps), len(faces))
	}
	var b strings.Builder
	face := 0
	for _, m := range regexp.MustCompile(`/F(\d+) [\d.]+ Tf|\[?<([0-9A-Fa-f]+)>\]? ?TJ?j?|T[dm]`).FindAllStringSubmatch(drawn, -1) {
		if m[1] != "" {
			face, _ = strconv.Atoi(m[1])
			continue
		}
		for h := m[2]; len(h) >= 4; h = h[4:] {
			c, ok := maps[face-1][strings.ToUpper(h[:4])]
			if !ok {
				t.Fatalf("glyph %s of face %d is drawn and stands for nothing", h[:4], face)
			}
			b.WriteString(c)
		}
		if m[2] != "" {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// toUnicode reads the ranges of a CMap (Adobe Technical Note 5411).
func toUnicode(t *testing.T, cmap string) map[string]string {
	t.Helper()
	glyphs := map[string]string{}
	for _, m := range regexp.MustCompile(`<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]{4,})>`).FindAllStringSubmatch(cmap, -1) {
		raw, err := hex.DecodeString(m[3])
		if err != nil || m[1] != m[2] && !strings.EqualFold(m[1], "0000") {
			t.Fatalf("%s: %v", m[0], err)
		}
		var units []uint16
		for i := 0; i+1 < len(raw); i += 2 {
			units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
		}
		glyphs[strings.ToUpper(m[1])] = string(utf16.Decode(units))
	}
	return glyphs
}

// Everything that should stand on the sheet is read back from it, 䓬 too; nothing is lost at the end of a line.
func TestWhatIsDrawnIsReadBack(t *testing.T) {
	s := full()
	pdf, err := s.PDF()
	if err != nil {
		t.Fatal(err)
	}
	got := text(t, pdf)
	flat := strings.NewReplacer("\n", "", " ", "").Replace(got)
	want := []string{s.Hospital, s.No, s.Kind, s.Patient, "68岁", "70kg", s.Department, "2026-11-21", "2026-11-2123:03", s.DaysReason, "张建国主任医师", "刘芳",
		"2026-11-2110:03:21", "电子印章", s.SealKey, "没有法律效力", "每次90mg，每日1次，口服，共28天", "×28片", "1.地尔硫䓬缓释片"}
	want = append(append(want, s.Diagnosis...), s.Words...)
	for _, line := range s.Lines {
		want = append(want, line.Name)
	}
	for _, words := range want {
		if !strings.Contains(flat, strings.ReplaceAll(words, " ", "")) {
			t.Errorf("%q is not on the sheet:\n%s", words, got)
		}
	}
	if len(pdf) > 120_000 {
		t.Errorf("%d bytes: the font is not subset", len(pdf))
	}
}

// 䓬 has an outline in the font, and a character the font lacks is written as its code.
func TestRareCharacters(t *testing.T) {
	var parser core.TTFParser
	if err := parser.ParseFontData(droid); err != nil {
		t.Fatal(err)
	}
	glyph := parser.Chars()['䓬']
	loca := parser.GetTables()["loca"]
	if glyph == 0 {
		t.Fatal("the font has no 䓬")
	}
	offset := func(n uint) uint32 {
		at := uint(loca.Offset)
		if !parser.IsShortIndex {
			b := droid[at+4*n:]
			return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		}
		b := droid[at+2*n:]
		return 2 * (uint32(b[0])<<8 | uint32(b[1]))
	}
	if offset(glyph) == offset(glyph+1) {
		t.Error("the font's 䓬 is empty")
	}
	s := full()
	s.Patient = "𠮷田" // beyond U+FFFF
	pdf, err := s.PDF()
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, pdf); !strings.Contains(strings.ReplaceAll(got, "\n", ""), "[U+20BB7]田") {
		t.Errorf("the name is lost:\n%s", got)
	}
}

func TestPiecesKeepTogetherWhatBelongsTogether(t *testing.T) {
	words := "每次 2.5\u00a0mg，每日 1 次（饭后）。 take 100\u00a0mg"
	list := pieces(words)
	if strings.Join(list, "") != words {
		t.Errorf("lost: %q", list)
	}
	for _, piece := range list {
		if strings.HasPrefix(piece, "，") || strings.HasPrefix(piece, "）") || piece == "mg，" || strings.HasPrefix(piece, "mg") {
			t.Errorf("%q begins a line: %q", piece, list)
		}
	}
}

func TestWhatDoesNotFitIsNotCutOff(t *testing.T) {
	s := full()
	for range 12 {
		s.Lines = append(s.Lines, s.Lines[0])
	}
	if _, err := s.PDF(); err == nil {
		t.Error("seventeen lines on one sheet")
	}
}

func BenchmarkPDF(b *testing.B) {
	s := full()
	for i := 0; b.Loop(); i++ {
		s.No = "RX20261121-" + strconv.Itoa(i)
		if _, err := s.PDF(); err != nil {
			b.Fatal(err)
		}
	}
}
