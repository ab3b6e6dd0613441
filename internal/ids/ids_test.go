package ids

import (
	"encoding/json"
	"testing"
)

func TestZeroIsNone(t *testing.T) {
	var v Visit
	if got, _ := v.Value(); got != nil {
		t.Fatalf("zero identifier must be NULL, got %v", got)
	}
	if b, _ := json.Marshal(v); string(b) != `""` {
		t.Fatalf("zero identifier as JSON: %s", b)
	}
}

func TestRoundTrip(t *testing.T) {
	v := New[Visit]()
	back, err := Parse[Visit](v.String())
	if err != nil || back != v {
		t.Fatalf("got %v, %v; want %v", back, err, v)
	}
	var scanned Visit
	if err := scanned.Scan(v.String()); err != nil || scanned != v {
		t.Fatalf("scan: %v, %v", scanned, err)
	}
}

func TestOnlyTheCanonicalFormIsRead(t *testing.T) {
	for _, s := range []string{"x", "urn:uuid:0190a9f0-0000-7000-8000-000000000000", "{0190a9f0-0000-7000-8000-00000000000}", "0190a9f0000070008000000000000000"} {
		if v, err := Parse[Visit](s); err == nil {
			t.Errorf("%q was read as %v", s, v)
		}
	}
}
