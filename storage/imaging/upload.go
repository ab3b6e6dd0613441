package imaging

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"yuanzhen/internal/authz"
	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/storage"
)

// Upload is a file on its way in over a line that breaks: a DICOM file or a zip archive of them. Its bytes are kept in
// pieces in the object store as they arrive; when all are there a job takes the objects into the archive. Who sends is
// the only one who sees it.
type Upload struct {
	ID       uploadID
	Place    ids.Institution
	Account  ids.Account
	Length   int64
	Received int64
	State    string // receiving, taking, done; or ended by its sender
	Outcome  Outcome
}

type uploadID = ids.ID[Upload]

// Outcome says what became of an upload's objects.
type Outcome struct {
	Stored  int       `json:"stored"`  // lie in the archive now
	Skipped int       `json:"skipped"` // files of an archive that are no images
	Studies []string  `json:"studies"` // UIDs
	Refused []Refusal `json:"refused"`
}

// Refusal is an object that was not taken.
type Refusal struct {
	Part   int        `json:"part" doc:"number of the file in the archive; 1 for a single file"`
	SOP    string     `json:"sop_uid,omitempty"`
	Reason string     `json:"reason" doc:"PS3.4 table B.2-1, four hex digits"`
	Detail fault.Text `json:"detail"`
	Full   bool       `json:"full,omitempty" doc:"the hospital's room is used up: sent again once there is some, it may be taken"`
}

const (
	maxUpload = maxRequest
	// A piece ends when it is this large or this old: what a killed server loses of an upload.
	pieceSize = 4 << 20
	pieceTime = 2 * time.Second
	// How long an upload that nobody touches can still be gone on with, or asked for.
	uploadLife = 72 * time.Hour
	// How long the bytes that an upload said it would bring are kept room for while none come; what has come counts on.
	uploadQuiet = 10 * time.Minute
	// A taker that lives touches its upload every third of this.
	takerLife = 30 * time.Second
)

var (
	uploadTooLarge = fault.New(fault.TooLarge, "upload_too_large", "单次上传最多 4 GB。", "One upload holds at most 4 GB.").
			WithRemedy("请分成几份再传。", "Please send it in parts.")
	uploadSurplus = fault.New(fault.TooLarge, "upload_surplus", "发来的比开始时说的（Upload-Length）多，多出的没有收。", "More came than the upload announced (Upload-Length); the surplus was not taken.").
			WithRemedy("请用文件的真实大小重新开始上传。", "Please begin a new upload with the file's own size.")
	uploadEmpty = fault.New(fault.Invalid, "upload_empty", "这个文件是空的（0 字节），不会是影像。", "The file is empty (0 bytes) and can't be an image.").
			WithRemedy("请重新导出或拷贝这个文件再传。", "Please export or copy the file again, then send it.")
	uploadElsewhere = fault.New(fault.Conflict, "upload_offset", "这次上传停在别的位置，可能有另一个窗口正在传。", "The upload stands at another byte; perhaps another window is sending it.").
			WithRemedy("请先询问已收到多少，再从那里续传。", "Please ask how much has arrived and go on from there.")
	uploadTaken = fault.New(fault.Conflict, "upload_taken", "已全部收到，正在入库，不能再取消。", "Everything has arrived and is being taken in; it can't be ended any more.").
			WithRemedy("请等入库完成。", "Please wait until it is done.")
)

// Take is the job of taking a whole upload into the archive.
type Take struct {
	Upload uploadID `json:"upload"`
}

func (Take) Kind() string { return "image_take" }

// Taker works Take jobs.
type Taker struct {
	river.WorkerDefaults[Take]
	Images *Service // set before the queue starts
}

// Timeout is that of the largest archive; a study takes seconds.
func (*Taker) Timeout(*river.Job[Take]) time.Duration { return time.Hour }

func (t *Taker) Work(ctx context.Context, job *river.Job[Take]) error {
	return t.Images.Take(ctx, job.Args.Upload)
}

// Begin opens an upload of length bytes.
func (s *Service) Begin(ctx context.Context, place ids.Institution, length int64) (Upload, error) {
	if length < 0 {
		return Upload{}, badTus("Upload-Length")
	}
	if length == 0 { // tus allows it; nothing that is kept here has no bytes
		return Upload{}, uploadEmpty
	}
	if length > maxUpload {
		return Upload{}, uploadTooLarge
	}
	if left, err := s.room(ctx, place); err != nil {
		return Upload{}, err
	} else if length > left {
		return Upload{}, quotaReached
	}
	u := Upload{ID: ids.New[uploadID](), Place: place, Account: authz.SubjectFrom(ctx).Account, Length: length, State: "receiving"}
	return u, s.insertUpload(ctx, u)
}

// Append adds what body holds from byte offset on. What arrived before the line broke is kept. It is fault.Conflict
// when the upload stands elsewhere, also when a second sender overtakes this one.
func (s *Service) Append(ctx context.Context, u Upload, offset int64, body io.Reader) (Upload, error) {
	if offset != u.Received {
		return u, uploadElsewhere
	}
	kept := context.WithoutCancel(ctx) // a broken line ends the request, not the keeping of what came by it
	for {
		piece, err := readPiece(body, u.Length-u.Received)
		if len(piece) > 0 {
			if kept := s.addPiece(kept, &u, piece); kept != nil {
				return u, kept
			}
		}
		switch {
		case err == io.EOF:
			return u, nil
		case errors.Is(err, errSurplus):
			return u, uploadSurplus
		case err != nil:
			return u, broken(err)
		}
	}
}

var errSurplus = errors.New("more bytes than announced")

// readPiece reads the next piece of at most left bytes; with an error it may hold the last of them.
func readPiece(body io.Reader, left int64) ([]byte, error) {
	piece := make([]byte, 0, 64<<10)
	for until := time.Now().Add(pieceTime); time.Now().Before(until); {
		room := min(left, pieceSize) - int64(len(piece))
		if room == 0 {
			if left > pieceSize {
				return piece, nil
			}
			room = 1 // there must be no more
		}
		piece = slices.Grow(piece, int(min(room, max(int64(len(piece)), 64<<10))))
		n, err := body.Read(piece[len(piece):min(int64(cap(piece)), int64(len(piece))+room)])
		piece = piece[:len(piece)+n]
		if int64(len(piece)) > left {
			return piece[:left], errSurplus
		}
		if err != nil {
			return piece, err
		}
	}
	return piece, nil
}

// addPiece makes a piece durable and moves the upload on by it.
func (s *Service) addPiece(ctx context.Context, u *Upload, data []byte) error {
	p := piece{storage.NewKey(u.Place), u.Received, int64(len(data))}
	if err := s.insertPiece(ctx, u.ID, p); err != nil {
		return err
	}
	if err := s.Objects.Put(ctx, p.Key, bytes.NewReader(data), p.Size); err != nil {
		return err
	}
	after := *u
	if after.Received += p.Size; after.Received == u.Length {
		after.State = "taking"
	}
	if err := s.advance(ctx, after, p); err != nil {
		if !pg.Unclear(err) { // who has ended the upload meanwhile has removed the row, before there was an object
			if gone := s.dropPieces(ctx, []piece{p}); gone != nil {
				s.Log.WarnContext(ctx, "piece of an upload left behind", "error", gone.Error())
			}
		}
		return err
	}
	*u = after
	return nil
}

// Abandon ends an upload and removes what had arrived. One whose objects are being taken can't be held up any more.
func (s *Service) Abandon(ctx context.Context, u Upload) error {
	if err := s.endUpload(ctx, u.ID); err != nil {
		return err
	}
	return s.clearUpload(ctx, u.ID)
}

// Take takes the upload's objects into the archive and lets go of its pieces. Done again it changes nothing.
func (s *Service) Take(ctx context.Context, id uploadID) error {
	u, pieces, err := s.wholeUpload(ctx, id)
	if err != nil {
		return err
	}
	if u.State == "taking" {
		ctx := authz.WithSubject(ctx, &authz.Subject{Account: u.Account})
		alive, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() { defer close(ended); s.touch(alive, id) }()
		u.Outcome, err = s.takeFile(ctx, u.Place, &pieced{ctx: ctx, objects: s.Objects, pieces: pieces, size: u.Length})
		stop()
		<-ended
		if err != nil {
			return fmt.Errorf("take upload %s: %w", id, err)
		}
		if err := s.finishUpload(ctx, u); err != nil {
			return err
		}
	}
	return s.clearPieces(ctx, id)
}

// touch shows that a taker lives, until ctx ends.
func (s *Service) touch(ctx context.Context, id uploadID) {
	tick := time.NewTicker(takerLife / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.touchUpload(ctx, id); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "upload not touched", "error", err.Error())
			}
		}
	}
}

// Tidy takes uploads whose taker was killed, and removes those that nobody has touched for days and objects whose writer was killed.
func (s *Service) Tidy(ctx context.Context) error {
	orphans, old, err := s.untouched(ctx)
	for _, id := range orphans {
		err = errors.Join(err, s.Take(ctx, id))
	}
	for _, id := range old {
		err = errors.Join(err, s.clearUpload(ctx, id))
	}
	return errors.Join(err, s.clearStrays(ctx))
}

func (s *Service) clearUpload(ctx context.Context, id uploadID) error {
	if err := s.clearPieces(ctx, id); err != nil {
		return err
	}
	return s.forgetUpload(ctx, id)
}

// takeFile stores the one object of a file, or those of an archive.
func (s *Service) takeFile(ctx context.Context, place ids.Institution, file *pieced) (o Outcome, err error) {
	o = Outcome{Studies: []string{}, Refused: []Refusal{}}
	mark := make([]byte, 4)
	if _, err := file.ReadAt(mark, 0); err != nil && err != io.EOF {
		return o, err
	}
	if isZip(mark) {
		return o, s.takeArchive(ctx, place, file, &o)
	}
	if file.size > maxObject {
		o.refuse(1, Receipt{Reason: outOfResources, Say: errTooLarge.Say})
		return o, nil
	}
	r, err := s.Store(ctx, place, io.NewSectionReader(file, 0, file.size))
	if err == nil {
		o.note(1, r)
	}
	return o, err
}

func (o *Outcome) note(part int, r Receipt) {
	switch {
	case !r.Stored && r.Class == mediaDirectory:
		o.Skipped++
	case !r.Stored:
		o.refuse(part, r)
	default:
		o.Stored++
		if !slices.Contains(o.Studies, r.Study) {
			o.Studies = append(o.Studies, r.Study)
		}
	}
}

func (o *Outcome) refuse(part int, r Receipt) {
	o.Refused = append(o.Refused, Refusal{Part: part, SOP: r.SOP, Reason: fmt.Sprintf("%04X", r.Reason), Detail: r.Say, Full: r.Full})
}

// mediaDirectory is the class of a CD's table of contents, which holds no picture.
const mediaDirectory = "1.2.840.10008.1.3.10"

// piece of an upload: an object in the store.
type piece struct {
	Key    storage.Key
	Begins int64
	Size   int64
}

// pieced reads an upload's pieces as the one file they are. For one reader at a time; it holds one piece in memory.
type pieced struct {
	ctx     context.Context // of the one deed that reads
	objects storage.Objects
	pieces  []piece // in order, without gaps
	size    int64

	at   int // which piece data is
	data []byte
	err  error // why the store failed, as archive readers don't pass it on
}

func (p *pieced) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		i, found := slices.BinarySearchFunc(p.pieces, off+int64(n), func(x piece, at int64) int { return cmp.Compare(x.Begins, at) })
		if !found {
			i--
		}
		if i < 0 || off+int64(n) >= p.pieces[i].Begins+p.pieces[i].Size {
			return n, io.EOF
		}
		if p.err = p.load(i); p.err != nil {
			return n, p.err
		}
		n += copy(b[n:], p.data[off+int64(n)-p.pieces[i].Begins:])
	}
	return n, nil
}

func (p *pieced) load(i int) error {
	if p.data != nil && p.at == i {
		return nil
	}
	body, err := p.objects.Get(p.ctx, p.pieces[i].Key, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	if int64(cap(p.data)) < p.pieces[i].Size {
		p.data = make([]byte, p.pieces[i].Size)
	}
	p.at, p.data = i, p.data[:p.pieces[i].Size]
	if _, err := io.ReadFull(body, p.data); err != nil {
		p.data = nil
		return fmt.Errorf("read piece: %w", err)
	}
	return nil
}
