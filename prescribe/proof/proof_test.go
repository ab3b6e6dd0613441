package proof

import (
	"bytes"
	"encoding/pem"
	"os"
	"testing"
	"time"

	"yuanzhen/prescribe/qr"
)

// kept is a file that was handed out once, with the keys and the authority of its day. It must prove for ever.
func kept(t testing.TB) (issued []byte, trust Trust) {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	keys, err := qr.ReadKeys(bytes.NewReader(read("keys.json")))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(read("ca.pem"))
	return read("issued.proof.json"), Trust{Keys: keys, Root: block.Bytes, At: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func TestAKeptFileProves(t *testing.T) {
	issued, trust := kept(t)
	file, err := Read(bytes.NewReader(issued))
	if err != nil {
		t.Fatal(err)
	}
	if e, f := trust.Check(file); len(f.Faults) > 0 || e.No != "RX20261121-000001" {
		t.Fatalf("%s: %+v", e.No, f)
	}
	trust.Root = nil
	if _, f := trust.Check(file); len(f.Faults) > 0 {
		t.Errorf("with the list of keys alone: %+v", f)
	}
	file.Times = nil
	if _, f := trust.Check(file); len(f.Faults) > 0 || len(f.Notes) != 6 {
		t.Errorf("before the log was sealed: %+v", f)
	}
}

// Whatever is in a file, it is answered; and what is not the file that was issued proves nothing else.
func FuzzCheck(f *testing.F) {
	issued, trust := kept(f)
	file, err := Read(bytes.NewReader(issued))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(issued)
	f.Add([]byte(`{"file":{"format":"yuanzhen proof 1","envelope":"{\"format\":\"yuanzhen envelope 1\"}"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		if _, found := trust.Check(got); len(found.Faults) == 0 && got.Envelope != file.Envelope {
			t.Fatalf("proved: %s", got.Envelope)
		}
	})
}
