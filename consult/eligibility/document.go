package eligibility

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// node is one JSON value of a facts document.
//
// encoding/json is not used here because it matches names without regard to case, takes the
// last of two members with one name, and needs about 400 allocations for an ordinary document;
// a gate wants names exact, doubles refused, and one reading both for the rules and for the hash.
type node struct {
	kind   kind
	name   string // of a member of an object
	text   string // of a string
	number float64
	first  *node // of an array's items or an object's members, in the order of the document
	next   *node // after this one in the array or object
}

type kind byte

const (
	null kind = iota // also what an absent member reads as
	boolean
	number
	text
	array
	object
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}

func (k kind) String() string { return kindNames[k] }

// yes is the number of a boolean that is true.
const yes = 1

// get finds a member; one that is absent is null.
func (n *node) get(name string) *node {
	for m := n.first; m != nil; m = m.next {
		if m.name == name {
			return m
		}
	}
	return &absent
}

var absent node

// len counts items or members.
func (n *node) len() (count int) {
	for m := n.first; m != nil; m = m.next {
		count++
	}
	return count
}

// maxDepth is far beyond the five levels of a facts document and far below the stack.
const maxDepth = 64

// document is a facts document that has been read.
type document struct {
	*node       // the root
	flaw  error // the first that makes it unfit for I-JSON
	slab  *[slabSize]node
	used  int // of the slab
}

// slabSize holds an ordinary facts document, of about 170 nodes, without another allocation.
const slabSize = 256

var slabs = sync.Pool{New: func() any { return new([slabSize]node) }}

// release gives the nodes back. Strings that were read stay valid.
func (d *document) release() {
	clear(d.slab[:d.used])
	slabs.Put(d.slab)
}

// parse reads a JSON text (RFC 8259). What makes it unfit for I-JSON (RFC 7493: doubled
// names, broken text, numbers beyond a double) is kept as the document's flaw,
// because danger signs are looked for in a flawed document too.
func parse(text []byte) (doc *document, err error) {
	p := &parser{in: string(text), document: document{slab: slabs.Get().(*[slabSize]node)}}
	defer func() {
		switch broken := recover().(type) {
		case nil:
		case syntax:
			p.release()
			doc, err = nil, fmt.Errorf("facts are not JSON: %s", string(broken))
		default:
			panic(broken)
		}
	}()
	p.document.node = p.new()
	p.value(p.document.node, 0)
	if p.space(); p.at < len(p.in) {
		p.fail("text after the end")
	}
	return &p.document, nil
}

// syntax ends the reading of a text that is not JSON.
type syntax string

type parser struct {
	document
	in string
	at int
}

// new hands out a null.
func (p *parser) new() *node {
	if p.used == slabSize {
		return new(node)
	}
	p.used++
	return &p.slab[p.used-1]
}

func (p *parser) fail(what string) {
	panic(syntax(fmt.Sprintf("%s at byte %d", what, p.at)))
}

func (p *parser) flawed(format string, args ...any) {
	if p.flaw == nil {
		p.flaw = fmt.Errorf(format, args...)
	}
}

func (p *parser) space() {
	for ; p.at < len(p.in); p.at++ {
		switch p.in[p.at] {
		case ' ', '\t', '\r', '\n':
		default:
			return
		}
	}
}

// peek is the next byte that is not space, 0 at the end.
func (p *parser) peek() byte {
	if p.space(); p.at < len(p.in) {
		return p.in[p.at]
	}
	return 0
}

func (p *parser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

func (p *parser) want(c byte) {
	if !p.take(c) {
		p.fail("no " + strconv.QuoteRune(rune(c)))
	}
}

func (p *parser) value(n *node, depth int) {
	if depth > maxDepth {
		p.fail("nested too deeply")
	}
	switch p.peek() {
	case '{':
		n.kind = object
		p.object(n, depth)
	case '[':
		n.kind = array
		p.array(n, depth)
	case '"':
		n.kind, n.text = text, p.string()
	case 't':
		n.kind, n.number = boolean, yes
		p.word("true")
	case 'f':
		n.kind = boolean
		p.word("false")
	case 'n':
		p.word("null")
	default:
		n.kind, n.number = number, p.number()
	}
}

func (p *parser) word(w string) {
	if !strings.HasPrefix(p.in[p.at:], w) {
		p.fail("no value")
	}
	p.at += len(w)
}

func (p *parser) object(n *node, depth int) {
	end := &n.first
	for p.want('{'); !p.take('}'); end = &(*end).next {
		if n.first != nil {
			p.want(',')
		}
		p.peek()
		m := p.new()
		if m.name = p.string(); n.get(m.name) != &absent {
			p.flawed("member %q stands twice", m.name)
		}
		p.want(':')
		p.value(m, depth+1)
		*end = m
	}
}

func (p *parser) array(n *node, depth int) {
	end := &n.first
	for p.want('['); !p.take(']'); end = &(*end).next {
		if n.first != nil {
			p.want(',')
		}
		item := p.new()
		p.value(item, depth+1)
		*end = item
	}
}

func (p *parser) number() float64 {
	start := p.at
	p.accept("-")
	if !p.accept("0") && !p.digits() {
		p.fail("no value")
	}
	if p.accept(".") && !p.digits() {
		p.fail("no digit")
	}
	if p.accept("eE") {
		if p.accept("+-"); !p.digits() {
			p.fail("no digit")
		}
	}
	f, err := strconv.ParseFloat(p.in[start:p.at], 64)
	if err != nil {
		p.flawed("number %s is too large", p.in[start:p.at])
	}
	return f
}

func (p *parser) accept(set string) bool {
	if p.at < len(p.in) && strings.IndexByte(set, p.in[p.at]) >= 0 {
		p.at++
		return true
	}
	return false
}

func (p *parser) digits() bool {
	start := p.at
	for p.accept("0123456789") {
	}
	return p.at > start
}

// string reads a string. Without an escape it is a piece of the input.
func (p *parser) string() string {
	p.want('"')
	rest, at, bits, escaped := p.in[p.at:], 0, byte(0), false
	for ; ; at++ {
		if at >= len(rest) || rest[at] < ' ' {
			p.fail("string does not end")
		}
		if bits |= rest[at]; rest[at] == '\\' {
			escaped = true
			at++
		} else if rest[at] == '"' {
			break
		}
	}
	raw := rest[:at]
	p.at += at + 1
	if bits >= utf8.RuneSelf && !utf8.ValidString(raw) {
		p.flawed("string is not UTF-8")
	}
	if escaped {
		return p.unescape(raw)
	}
	return raw
}

// unescape follows RFC 8259 §7.
func (p *parser) unescape(raw string) string {
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		plain, rest, escape := strings.Cut(raw, `\`)
		if out = append(out, plain...); !escape {
			break
		}
		if i := strings.IndexByte(`"\/bfnrt`, rest[0]); i >= 0 {
			out, raw = append(out, "\"\\/\b\f\n\r\t"[i]), rest[1:]
			continue
		}
		unit, ok := utf16Unit(`\` + rest)
		if !ok {
			p.fail("unknown escape before")
		}
		raw = rest[5:]
		if low, ok := utf16Unit(raw); ok && unit>>10 == 0x36 && low>>10 == 0x37 {
			unit, raw = (unit-0xD800)<<10+(low-0xDC00)+0x10000, raw[6:]
		} else if unit>>11 == 0x1B {
			p.flawed("string has half a surrogate pair")
		}
		out = utf8.AppendRune(out, unit)
	}
	return string(out)
}

// utf16Unit reads \uXXXX at the start of s.
func utf16Unit(s string) (rune, bool) {
	if len(s) < 6 || s[:2] != `\u` {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

// hash is the SHA-256 of the document in canonical form (RFC 8785), in lower-case hex.
func (n *node) hash() string {
	sum := sha256.Sum256(n.canonical(make([]byte, 0, 4096)))
	return hex.EncodeToString(sum[:])
}

// Canonical is a JSON text in canonical form (RFC 8785). One that I-JSON forbids is refused.
func Canonical(text []byte) ([]byte, error) {
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	defer doc.release()
	return doc.canonical(nil), doc.flaw
}

// canonical appends the document as RFC 8785 writes it.
func (n *node) canonical(b []byte) []byte {
	switch n.kind {
	case boolean:
		return strconv.AppendBool(b, n.number == yes)
	case number:
		return appendNumber(b, n.number)
	case text:
		return appendString(b, n.text)
	case array:
		b = append(b, '[')
		for m := n.first; m != nil; m = m.next {
			if m != n.first {
				b = append(b, ',')
			}
			b = m.canonical(b)
		}
		return append(b, ']')
	case object:
		var few [32]*node
		members := few[:0]
		for m := n.first; m != nil; m = m.next {
			members = append(members, m)
		}
		slices.SortFunc(members, func(x, y *node) int { return compareUTF16(x.name, y.name) })
		b = append(b, '{')
		for i, m := range members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, m.name), ':')
			b = m.canonical(b)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// compareUTF16 orders names by their UTF-16 code units (RFC 8785 §3.2.3): a character
// beyond U+FFFF begins with a surrogate and so sorts before U+E000.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y {
			if (x > 0xFFFF) != (y > 0xFFFF) {
				return cmp.Compare(firstUnit(x), firstUnit(y))
			}
			return cmp.Compare(x, y)
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

func firstUnit(r rune) rune {
	if r > 0xFFFF {
		return 0xD800 + (r-0x10000)>>10
	}
	return r
}

// appendNumber writes a double as ECMAScript does (RFC 8785 §3.2.2.3).
func appendNumber(b []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case f == 0:
		return append(b, '0')
	case abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	return append(b, strings.Replace(s, "e-0", "e-", 1)...)
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	plain := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[plain:i]...)
		plain = i + 1
		if short := strings.IndexByte("\"\\\b\f\n\r\t", c); short >= 0 {
			b = append(b, '\\', `"\bfnrt`[short])
		} else {
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(append(b, s[plain:]...), '"')
}
