package recorder

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// A take as a WebM file (RFC 9559, Matroska; the WebM subset but for H264). Nothing is transcoded:
// frames are put into clusters as they come. The segment's size is left unknown, each cluster is whole, so that the file is
// playable up to its last cluster however it ends. At its end an index follows the clusters (Cues, RFC 9559 §22), and the
// head is written anew with where it is, the duration and the size: then a player may jump. For a file whose writer was killed,
// Inspect makes both.

// Element ids, RFC 9559 §5.
const (
	idEBML          = 0x1A45DFA3
	idSegment       = 0x18538067
	idInfo          = 0x1549A966
	idTimestampUnit = 0x2AD7B1
	idMuxingApp     = 0x4D80
	idWritingApp    = 0x5741
	idTracks        = 0x1654AE6B
	idTrackEntry    = 0xAE
	idTrackNumber   = 0xD7
	idTrackUID      = 0x73C5
	idTrackType     = 0x83
	idCodecID       = 0x86
	idCodecPrivate  = 0x63A2
	idCodecDelay    = 0x56AA
	idSeekPreRoll   = 0x56BB
	idVideo         = 0xE0
	idPixelWidth    = 0xB0
	idPixelHeight   = 0xBA
	idAudio         = 0xE1
	idSampling      = 0xB5
	idChannels      = 0x9F
	idCluster       = 0x1F43B675
	idTimestamp     = 0xE7
	idSimpleBlock   = 0xA3
	idVoid          = 0xEC
	idSeekHead      = 0x114D9B74
	idSeek          = 0x4DBB
	idSeekID        = 0x53AB
	idSeekPosition  = 0x53AC
	idDuration      = 0x4489
	idCues          = 0x1C53BB6B
	idCuePoint      = 0xBB
	idCueTime       = 0xB3
	idCuePositions  = 0xB7
	idCueTrack      = 0xF7
	idCueCluster    = 0xF1
)

const (
	audioTrack = 1
	videoTrack = 2
)

// Video describes a take's picture.
type Video struct {
	Codec         string // "V_VP8", "V_VP9", "V_AV1" or "V_MPEG4/ISO/AVC"
	Private       []byte // AV1CodecConfigurationRecord or AVCDecoderConfigurationRecord; else none
	Width, Height uint64
}

// webm says whether WebM has the codec.
func (v *Video) webm() bool { return v.Codec != "V_MPEG4/ISO/AVC" }

func element(id uint32, content ...[]byte) []byte {
	n := 0
	for _, c := range content {
		n += len(c)
	}
	b := appendID(make([]byte, 0, n+12), id)
	b = append(b, 0x01) // a size of eight bytes is valid for any length (RFC 8794 §6.1)
	b = append(b, binary.BigEndian.AppendUint64(nil, uint64(n))[1:]...)
	for _, c := range content {
		b = append(b, c...)
	}
	return b
}

func appendID(b []byte, id uint32) []byte {
	switch {
	case id > 0xFFFFFF:
		b = append(b, byte(id>>24), byte(id>>16), byte(id>>8))
	case id > 0xFFFF:
		b = append(b, byte(id>>16), byte(id>>8))
	case id > 0xFF:
		b = append(b, byte(id>>8))
	}
	return append(b, byte(id))
}

func number(id uint32, v uint64) []byte {
	return element(id, binary.BigEndian.AppendUint64(nil, v))
}

func text(id uint32, s string) []byte { return element(id, []byte(s)) }

// ending is what is known of a file when it is over. Sizes and positions are in bytes from where the segment's content begins.
type ending struct {
	cues, size uint64
	length     time.Duration
}

const unknownSize = 1<<56 - 1 // RFC 8794 §6.2

// header begins a file: audio is always there, video when not nil. Without an end it is that of a file that is still being
// written, of the same length. begin is where the segment's content begins.
func header(video *Video, end *ending) (b []byte, begin int) {
	docType := "webm"
	if video != nil && !video.webm() {
		docType = "matroska"
	}
	ebml := slices.Concat(number(0x4286, 1), number(0x42F7, 1), number(0x42F2, 4), number(0x42F3, 8), text(0x4282, docType), number(0x4287, 4), number(0x4285, 2))
	return head(ebml, tracks(video), end)
}

// head puts a header together from what its first and its last element hold.
func head(ebml, tracks []byte, end *ending) (b []byte, begin int) {
	known := end != nil
	if !known {
		end = &ending{size: unknownSize}
	}
	index := element(idSeekHead, element(idSeek, element(idSeekID, appendID(nil, idCues)), number(idSeekPosition, end.cues)))
	length := math.Float64bits(float64(end.length) / float64(time.Millisecond))
	duration := element(idDuration, binary.BigEndian.AppendUint64(nil, length))
	if !known {
		index, duration = void(len(index)), void(len(duration))
	}
	b = element(idEBML, ebml)
	b = binary.BigEndian.AppendUint64(appendID(b, idSegment), 1<<56|end.size)
	begin = len(b)
	b = append(b, index...)
	b = append(b, element(idInfo, number(idTimestampUnit, uint64(time.Millisecond)), duration, text(idMuxingApp, "yuanzhen"), text(idWritingApp, "yuanzhen"))...)
	return append(b, element(idTracks, tracks)...), begin
}

// tracks describes audio and, when not nil, video.
func tracks(video *Video) []byte {
	// RFC 7845 §5.1: an identification header for mono or stereo at 48 kHz; the stream says itself which it is.
	opusHead := append([]byte("OpusHead\x01\x02"), 0, 0, 0x80, 0xBB, 0, 0, 0, 0, 0)
	rate := [8]byte{0x40, 0xE7, 0x70} // 48000 as a float64
	list := element(idTrackEntry, number(idTrackNumber, audioTrack), number(idTrackUID, audioTrack), number(idTrackType, 2),
		text(idCodecID, "A_OPUS"), element(idCodecPrivate, opusHead), number(idCodecDelay, 0), number(idSeekPreRoll, uint64(80*time.Millisecond)),
		element(idAudio, element(idSampling, rate[:]), number(idChannels, 2)))
	if video != nil {
		entry := [][]byte{number(idTrackNumber, videoTrack), number(idTrackUID, videoTrack), number(idTrackType, 1), text(idCodecID, video.Codec)}
		if len(video.Private) > 0 {
			entry = append(entry, element(idCodecPrivate, video.Private))
		}
		entry = append(entry, element(idVideo, number(idPixelWidth, video.Width), number(idPixelHeight, video.Height)))
		list = append(list, element(idTrackEntry, entry...)...)
	}
	return list
}

// void keeps n bytes free, RFC 8794 §11.3.2; nine at least.
func void(n int) []byte { return element(idVoid, make([]byte, n-9)) }

// cue is a place to begin from: at a key frame, or in a file of sound alone anywhere. cluster is the position of the cluster
// that holds it, in bytes from where the segment's content begins.
type cue struct {
	at      time.Duration
	cluster uint64
}

// cues is the index that follows the last cluster, in the order of time: a picture from before a pause lies behind the sound of the pause.
func cues(track byte, list []cue) []byte {
	var points []byte
	for _, c := range slices.SortedStableFunc(slices.Values(list), func(a, b cue) int { return cmp.Compare(a.at, b.at) }) {
		points = append(points, element(idCuePoint, number(idCueTime, uint64(c.at.Milliseconds())),
			element(idCuePositions, number(idCueTrack, uint64(track)), number(idCueCluster, c.cluster)))...)
	}
	return element(idCues, points)
}

// frame is one block: at is its time since the file began.
type frame struct {
	track byte
	at    time.Duration
	key   bool
	data  []byte
}

// clusterTime is how far a cluster reaches: a block's time is 16 bits of milliseconds from where it begins, 32.767 s at most (RFC 9559 §10).
const clusterTime = 30 * time.Second

// spans puts frames in order, for sound and picture come by different ways, and cuts them where a cluster has to begin.
func spans(frames []frame) (list [][]frame) {
	slices.SortStableFunc(frames, func(a, b frame) int { return cmp.Compare(a.at, b.at) })
	from := 0
	for i, f := range frames {
		if f.at-frames[from].at >= clusterTime {
			list = append(list, frames[from:i])
			from = i
		}
	}
	return append(list, frames[from:])
}

// cluster holds the frames of a span.
func cluster(frames []frame) []byte {
	begin := frames[0].at
	content := number(idTimestamp, uint64(begin.Milliseconds()))
	for _, f := range frames {
		flags := byte(0)
		if f.key {
			flags = 0x80
		}
		head := []byte{0x80 | f.track, 0, 0, flags}
		binary.BigEndian.PutUint16(head[1:], uint16(int16((f.at - begin).Milliseconds())))
		content = append(content, element(idSimpleBlock, head, f.data)...)
	}
	return element(idCluster, content)
}

// Content is what a file holds, and what it lacks where its writer was killed: an index, to follow its last cluster, and a head that
// leads to it, to take the place of the first one, which is as long. Both nil where nothing is lacking.
type Content struct {
	Audio, Video int           // frames
	Length       time.Duration // time of the last frame
	Head, Index  []byte
}

var errNotWebM = errors.New("not a WebM file of ours")

// Inspect reads a file to its end as a player would and says what is in it, a cluster a time. A last cluster that is cut short is
// passed over: that is how a file ends that is still being copied. Anything else that is wrong is an error.
func Inspect(r io.Reader) (Content, error) {
	var c Content
	p := parser{r: r}
	id, size, err := p.element()
	if err != nil || id != idEBML {
		return c, errors.Join(errNotWebM, err)
	}
	ebml, err := p.take(size)
	if err != nil {
		return c, err
	}
	if id, _, err = p.element(); err != nil || id != idSegment {
		return c, errors.Join(errNotWebM, err)
	}
	f := unclosed{ebml: ebml, track: audioTrack}
	for {
		id, size, err := p.element()
		switch {
		case errors.Is(err, io.EOF):
			c.close(&f)
			return c, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return c, nil
		case err != nil:
			return c, err
		}
		content, err := p.take(size)
		if errors.Is(err, io.ErrUnexpectedEOF) && id == idCluster {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		switch id {
		case idSeekHead:
			f.closed = true
		case idTracks:
			f.tracks = content
			if err := f.choose(); err != nil {
				return c, err
			}
		case idCluster:
			first, found, err := c.count(content, f.track)
			if err != nil {
				return c, err
			}
			if found {
				f.cues = append(f.cues, cue{first, f.at})
			}
		case idCues:
			f.index, f.indexed = f.at, true
		}
		f.at += uint64(len(appendID(nil, id))) + 8 + size
	}
}

// unclosed is what is known of a file while it is read. Positions are from where the segment's content begins.
type unclosed struct {
	ebml, tracks []byte
	track        byte // whose key frames a player begins at
	cues         []cue
	at           uint64
	index        uint64 // where the index is, when indexed
	indexed      bool
	closed       bool // the head leads to it
}

// choose takes the picture for the track to begin at where there is one: it is the second of the tracks.
func (f *unclosed) choose() error {
	p := parser{r: bytes.NewReader(f.tracks)}
	for n := 0; ; n++ {
		_, size, err := p.element()
		if errors.Is(err, io.EOF) {
			if n > 1 {
				f.track = videoTrack
			}
			return nil
		}
		if err == nil {
			_, err = p.take(size)
		}
		if err != nil {
			return err
		}
	}
}

// close makes what the file lacks, which at its end is all there.
func (c *Content) close(f *unclosed) {
	if f.closed || f.tracks == nil || len(f.cues) == 0 {
		return
	}
	end := ending{cues: f.at, size: f.at, length: c.Length}
	if f.indexed { // its writer was killed, or who closed it, before the head was kept
		end.cues = f.index
	} else {
		c.Index = cues(f.track, f.cues)
		end.size += uint64(len(c.Index))
	}
	c.Head, _ = head(f.ebml, f.tracks, &end)
}

// count counts the frames of a cluster, and finds the first one of the track that a player may begin at.
func (c *Content) count(content []byte, track byte) (first time.Duration, found bool, err error) {
	p := parser{r: bytes.NewReader(content)}
	var begin uint64
	for {
		id, size, err := p.element()
		if errors.Is(err, io.EOF) {
			return first, found, nil
		}
		if err != nil {
			return 0, false, err
		}
		b, err := p.take(size)
		if err != nil {
			return 0, false, err
		}
		switch id {
		case idTimestamp:
			begin = 0
			for _, x := range b {
				begin = begin<<8 | uint64(x)
			}
		case idSimpleBlock:
			if len(b) < 5 {
				return 0, false, fmt.Errorf("%w: block of %d bytes", errNotWebM, len(b))
			}
			at := time.Duration(int64(begin)+int64(int16(binary.BigEndian.Uint16(b[1:])))) * time.Millisecond
			c.Length = max(c.Length, at)
			if b[0] == 0x80|videoTrack {
				c.Video++
			} else {
				c.Audio++
			}
			if !found && b[0] == 0x80|track && b[3]&0x80 != 0 {
				first, found = at, true
			}
		}
	}
}

// parser reads the elements this package writes.
type parser struct{ r io.Reader }

// maxElement is more than any cluster of a part.
const maxElement = 64 << 20

func (p parser) element() (id uint32, size uint64, err error) {
	var b [8]byte
	if _, err := io.ReadFull(p.r, b[:1]); err != nil {
		return 0, 0, err
	}
	length := 1
	for mask := byte(0x80); length <= 4 && b[0]&mask == 0; mask >>= 1 {
		length++
	}
	if length > 4 {
		return 0, 0, errNotWebM
	}
	if _, err := io.ReadFull(p.r, b[1:length]); err != nil {
		return 0, 0, unexpected(err)
	}
	for _, x := range b[:length] {
		id = id<<8 | uint32(x)
	}
	if _, err := io.ReadFull(p.r, b[:]); err != nil {
		return 0, 0, unexpected(err)
	}
	if b[0] != 0x01 { // sizes of eight bytes are all we write
		return 0, 0, errNotWebM
	}
	size = binary.BigEndian.Uint64(b[:]) & (1<<56 - 1)
	return id, size, nil
}

func (p parser) take(size uint64) ([]byte, error) {
	if size > maxElement {
		return nil, errNotWebM
	}
	b, err := io.ReadAll(io.LimitReader(p.r, int64(size))) // grows with what is there, not with what is claimed
	if err == nil && uint64(len(b)) < size {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
