package dicom

import (
	"bytes"
	"encoding/binary"
)

// Lead is what a file lacks before its first byte to be a Part 10 file, judged by its beginning (some kB): old equipment and
// careless copying leave out the preamble, or all of the file meta information (PS3.10 §7.1). It is nil for a file that lacks
// nothing, and for one that is no DICOM file. The page of the browser's upload (web/src/imaging/part10.ts) leads the same way, so
// that a file is the same object however it comes.
func Lead(begins []byte) []byte {
	mark := append(make([]byte, preambleSize), "DICM"...)
	if len(begins) < 12 || len(begins) >= len(mark) && string(begins[preambleSize:][:4]) == "DICM" {
		return nil
	}
	if string(begins[:4]) == "DICM" {
		return mark[:preambleSize]
	}
	group, order := binary.LittleEndian.Uint16(begins), binary.ByteOrder(binary.LittleEndian)
	if group == 0x0800 {
		group, order = 8, binary.BigEndian
	}
	element, vr := order.Uint16(begins[2:]), begins[4:6]
	explicit := len(bytes.Trim(vr, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) == 0
	switch {
	case element > 0x18:
		return nil
	case group == 2 && explicit:
		return mark
	case group != 8:
		return nil
	}
	syntax := ExplicitLE
	switch {
	case order == binary.BigEndian && explicit:
		syntax = ExplicitBE
	case order == binary.BigEndian, !explicit && binary.LittleEndian.Uint32(begins[4:]) > 1024:
		return nil
	case !explicit:
		syntax = ImplicitLE
	}
	named := map[Tag]string{TransferSyntaxUID: syntax}
	lead, err := fileHead(Dataset{Order: binary.LittleEndian}, named)
	if err != nil {
		return nil
	}
	f, _ := Read(bytes.NewReader(append(lead, begins...))) // it ends in the middle; its numbers stand before
	for tag, from := range map[Tag]Tag{MediaStorageSOPClassUID: SOPClassUID, MediaStorageSOPInstanceUID: SOPInstanceUID} {
		if named[tag] = f.Data.Text(from); !ValidUID(named[tag]) {
			return nil
		}
	}
	if lead, err = fileHead(Dataset{Order: binary.LittleEndian}, named); err != nil {
		return nil
	}
	return lead
}

const preambleSize = 128
