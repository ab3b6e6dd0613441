package imaging

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// media is one alternative of an Accept header, or a Content-Type. Read by hand because clients leave out the quotes
// that "type=application/dicom" needs (PS3.18 §8.7), which package mime refuses.
type media struct {
	kind   string // lower case: "multipart/related", "image/jpeg", "*/*"
	params map[string]string
	but    []string // kinds that the same header refuses with q=0
}

func parseMedia(s string) media {
	parts := splitOutside(s, ';')
	m := media{kind: strings.ToLower(strings.TrimSpace(parts[0])), params: map[string]string{}}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		m.params[strings.ToLower(strings.TrimSpace(name))] = strings.Trim(strings.TrimSpace(value), `"`)
	}
	return m
}

// accepted lists what the request takes, best first: the accept query parameter (PS3.18 §8.3.3.1), else the header.
func accepted(r *http.Request) []media {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if q, _ := splitQuery(r.URL.RawQuery); q != "" {
		header = q
	}
	if strings.TrimSpace(header) == "" {
		header = "*/*"
	}
	var all []media
	var refused []string // RFC 9110 §12.4.2
	for _, s := range splitOutside(header, ',') {
		if m := parseMedia(s); m.quality() == 0 {
			refused = append(refused, m.kind)
		} else if m.kind != "" && len(all) < 32 {
			all = append(all, m)
		}
	}
	for i := range all {
		all[i].but = refused
	}
	slices.SortStableFunc(all, func(a, b media) int { return cmp.Compare(b.quality(), a.quality()) })
	return all
}

// formSpace is a space as forms write it, around what no plus of a media type stands beside.
var formSpace = regexp.MustCompile(`[+ ]*([;,=])[+ ]*`)

// splitQuery takes the accept parameter out of a query. Media types have + and ;, which clients write there as they are, though
// in a form one is a space and the other no longer allowed.
func splitQuery(raw string) (accept, rest string) {
	var others []string
	for pair := range strings.SplitSeq(raw, "&") {
		value, ok := strings.CutPrefix(pair, "accept=")
		if !ok {
			others = append(others, pair)
			continue
		}
		if value, err := url.PathUnescape(value); err == nil && accept == "" {
			accept = strings.Trim(formSpace.ReplaceAllString(value, "$1"), "+ ")
		}
	}
	return accept, strings.Join(others, "&")
}

// takesJSON reports whether the request takes DICOM JSON, under its own name or as JSON.
func takesJSON(r *http.Request) bool {
	return slices.ContainsFunc(accepted(r), func(m media) bool { return m.takes(m.kind, jsonType) || m.takes(m.kind, "application/json") })
}

// takes reports whether the alternative, a range or the type of its parts, holds the type and the header doesn't refuse it.
func (m media) takes(within, kind string) bool {
	return covers(within, kind) && !slices.Contains(m.but, kind)
}

func (m media) quality() float64 {
	if q, err := strconv.ParseFloat(m.params["q"], 64); err == nil {
		return q
	}
	return 1
}

// multipart reports whether parts are wanted, and of which type; one that is not named is any.
func (m media) multipart() (kind string, ok bool) {
	if m.kind != "multipart/related" {
		return m.kind, false
	}
	return strings.ToLower(cmp.Or(m.params["type"], "*/*")), true
}

// covers reports whether a media range such as "image/*" holds the type.
func covers(within, kind string) bool {
	group, _, _ := strings.Cut(kind, "/")
	return within == "*/*" || within == kind || within == group+"/*"
}

// splitOutside splits at sep where it isn't quoted.
func splitOutside(s string, sep byte) []string {
	var parts []string
	quoted, start := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
