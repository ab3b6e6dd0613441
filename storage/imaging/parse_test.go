package imaging

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"yuanzhen/storage/imaging/codec/worker"
)

func TestAcceptIsReadAsClientsWriteIt(t *testing.T) {
	for header, want := range map[string]string{
		"":    "*/* ",
		"a/b": "a/b ",
		`multipart/related; type="application/dicom"; transfer-syntax=*`: "application/dicom *",
		`multipart/related;type=application/dicom;transfer-syntax="1.2"`: "application/dicom 1.2",
		`multipart/related`:                    "*/* ",
		"image/png;q=0.1, image/jpeg":          "image/jpeg ",
		`Multipart/Related; Type="image/JLS"`:  "image/jls ",
		`multipart/related; type="a;b,c", d/e`: "a;b,c ",
	} {
		best := accepted(&http.Request{Header: http.Header{"Accept": {header}}, URL: &url.URL{}})[0]
		kind, _ := best.multipart()
		if got := kind + " " + best.params["transfer-syntax"]; got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add(`multipart/related; type="application/octet-stream"; transfer-syntax=*, image/*;q=0.5`)
	s := &Service{Decoder: worker.New(1, "")}
	f.Fuzz(func(t *testing.T, header string) {
		for _, m := range accepted(&http.Request{Header: http.Header{"Accept": {header}}, URL: &url.URL{}}) {
			_, _ = s.formOf(instance{TransferSyntax: "1.2.840.10008.1.2.4.80"}, m) // must not panic, whatever it says
		}
	})
}

// FuzzQuery holds that no value of a query ever becomes part of the statement.
func FuzzQuery(f *testing.F) {
	f.Add("PatientName=WANG*&StudyDate=20260101-20260201&limit=10&includefield=all")
	f.Add(`00100020=a%27%3B--&StudyInstanceUID=1.2\1.3`)
	f.Fuzz(func(t *testing.T, raw string) {
		params, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := parseQuery(instances, path{}, params)
		if err != nil {
			return
		}
		for _, m := range q.match {
			args := pgx.NamedArgs{}
			marked := m
			marked.values = nil
			for _, v := range m.values {
				marked.values = append(marked.values, "MARK"+v)
			}
			if where := marked.where("m", args); strings.Contains(strings.ToUpper(where), "MARK") || len(args) == 0 {
				t.Fatalf("%q in %s", m.values, where)
			}
		}
	})
}
