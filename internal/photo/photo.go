// Package photo takes out of a photo what its camera wrote beside the picture: place, time, device, names, previews.
// The picture stays byte for byte, and how it is to be turned.
package photo

import (
	"bytes"
	"encoding/binary"
)

// Clean returns a JPEG or PNG without its notes, anything else as it is. A JPEG keeps its colour profile and its
// orientation (EXIF 2.32, tag 0x0112); what follows its end, such as a phone's short film, is gone. It is false for a
// photo that can't be understood: nobody could say what it carries.
func Clean(file []byte) ([]byte, bool) {
	switch {
	case bytes.HasPrefix(file, []byte{0xFF, 0xD8, 0xFF}):
		return cleanJPEG(file)
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		return cleanPNG(file)
	}
	return file, true
}

const (
	startOfScan = 0xDA
	endOfImage  = 0xD9
	comment     = 0xFE
	app0        = 0xE0
	exif        = 0xE1
	profile     = 0xE2
	adobe       = 0xEE
)

// cleanJPEG copies the marker segments (ISO/IEC 10918-1 B.1.1) that belong to the picture.
func cleanJPEG(file []byte) ([]byte, bool) {
	out := append(make([]byte, 0, len(file)), file[:2]...)
	turned := false
	for at := 2; ; {
		for at+1 < len(file) && file[at] == 0xFF && file[at+1] == 0xFF { // fill
			at++
		}
		if at+2 > len(file) || file[at] != 0xFF {
			return nil, false
		}
		marker := file[at+1]
		if marker == endOfImage {
			return append(out, file[at:at+2]...), true
		}
		if at+4 > len(file) {
			return nil, false
		}
		end := at + 2 + int(binary.BigEndian.Uint16(file[at+2:]))
		if end < at+4 || end > len(file) {
			return nil, false
		}
		segment := file[at+4 : end]
		switch {
		case marker == exif:
			if o := orientation(segment); o > 1 && !turned {
				out, turned = append(out, turn(o)...), true
			}
		case marker == comment, marker > app0 && marker < 0xF0 && marker != adobe && !(marker == profile && bytes.HasPrefix(segment, []byte("ICC_PROFILE\x00"))),
			marker == app0 && !bytes.HasPrefix(segment, []byte("JFIF\x00")):
		case marker == app0 && len(segment) > 14: // with a preview
			out = append(out, 0xFF, app0, 0, 16)
			out = append(append(out, segment[:12]...), 0, 0)
		default:
			out = append(out, file[at:end]...)
		}
		if at = end; marker != startOfScan {
			continue
		}
		for { // the coded picture goes on to a marker that is neither a stuffed byte nor a restart
			n := bytes.IndexByte(file[at:], 0xFF)
			if n < 0 || at+n+1 >= len(file) {
				return append(out, file[at:]...), true // cut off: viewers show what there is
			}
			next := file[at+n+1]
			if next != 0 && next != 0xFF && (next < 0xD0 || next > 0xD7) {
				out, at = append(out, file[at:at+n]...), at+n
				break
			}
			out, at = append(out, file[at:at+n+1]...), at+n+1
			if next != 0xFF {
				out, at = append(out, next), at+1
			}
		}
	}
}

// orientation reads IFD0 of an EXIF segment; 0 when it says nothing.
func orientation(segment []byte) uint16 {
	tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00"))
	if !ok || len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.LittleEndian
	if bytes.HasPrefix(tiff, []byte("MM")) {
		order = binary.BigEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 0
	}
	n := int64(order.Uint16(tiff[at:]))
	for entry := at + 2; n > 0 && entry+12 <= int64(len(tiff)); entry, n = entry+12, n-1 {
		if order.Uint16(tiff[entry:]) == 0x0112 {
			if o := order.Uint16(tiff[entry+8:]); o <= 8 {
				return o
			}
			return 0
		}
	}
	return 0
}

// turn is an EXIF segment that says how the picture is turned and nothing else.
func turn(o uint16) []byte {
	return append([]byte{0xFF, exif, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, byte(o)},
		0, 0, 0, 0, 0, 0)
}

// cleanPNG copies the chunks that belong to the picture (PNG third edition, 4.7): the critical ones and those that
// say what its samples mean.
func cleanPNG(file []byte) ([]byte, bool) {
	out := append(make([]byte, 0, len(file)), file[:8]...)
	for at := 8; ; {
		if at+12 > len(file) {
			return nil, false
		}
		n := int64(binary.BigEndian.Uint32(file[at:]))
		end := int64(at) + 12 + n
		if end > int64(len(file)) {
			return nil, false
		}
		switch kind := string(file[at+4 : at+8]); kind {
		case "IHDR", "PLTE", "IDAT", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "cICP", "sBIT", "bKGD", "pHYs":
			out = append(out, file[at:end]...)
		case "IEND":
			return append(out, file[at:end]...), true
		}
		at = int(end)
	}
}
