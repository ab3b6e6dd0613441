package dicom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"
)

func TestAFileThatLacksItsHeadIsLed(t *testing.T) {
	read := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile("../testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	// The same digests stand in web/src/imaging/upload.test.ts: the browser leads alike.
	for name, want := range map[string]string{
		"corrupt/ExplVR_LitEndNoMeta.dcm": "9c82e9532ae425fc", "corrupt/ExplVR_BigEndNoMeta.dcm": "45e5f0958f110db2", "corrupt/rtstruct.dcm": "b79aab0577c64491",
	} {
		raw := read(name)
		lead := Lead(raw[:min(len(raw), 4096)])
		f, err := Read(bytes.NewReader(append(lead, raw...)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.Meta.Text(MediaStorageSOPInstanceUID) != f.Data.Text(SOPInstanceUID) || f.Meta.Text(MediaStorageSOPClassUID) != f.Data.Text(SOPClassUID) {
			t.Errorf("%s: the head names another object", name)
		}
		if sum := sha256.Sum256(lead); hex.EncodeToString(sum[:8]) != want {
			t.Errorf("%s: head %x", name, sum[:8])
		}
	}
	whole := read("transfer-syntaxes/CT_small.dcm")
	for name, begins := range map[string][]byte{"whole": whole, "empty": nil, "text": []byte("hello, this is a text"), "program": append([]byte("MZ"), make([]byte, 500)...),
		"zip": append([]byte("PK\x03\x04"), make([]byte, 500)...), "zeros": make([]byte, 500), "a group without numbers": append([]byte("\x08\x00\x05\x00CS\x02\x00ab"), make([]byte, 500)...)} {
		if lead := Lead(begins); lead != nil {
			t.Errorf("%s: led by %d bytes", name, len(lead))
		}
	}
	for _, cut := range []int{128, 132} {
		if lead := Lead(whole[cut:4096]); len(lead) != cut || !bytes.Equal(append(lead, whole[cut:]...)[128:], whole[128:]) {
			t.Errorf("without its first %d bytes: led by %d", cut, len(lead))
		}
	}
}
