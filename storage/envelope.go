package storage

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"yuanzhen/internal/ids"
)

// Keys wraps an object's data key under its institution's key; internal/keys.Vault is one.
// Open must fail unless aad is what Seal was given.
type Keys interface {
	Seal(ctx context.Context, place ids.Institution, plain, aad []byte) ([]byte, error)
	Open(ctx context.Context, place ids.Institution, sealed, aad []byte) ([]byte, error)
}

// The envelope, version 1. A random 256-bit data key per object seals chunks of 64 KiB with AES-256-GCM. The nonce
// is the chunk's number, which is safe because the key is used for this object alone. The associated data binds each
// chunk to version, key (and so institution), number and whether it is the last: chunks can't be moved within or
// between objects, and an object can't be cut. The data key, wrapped by the institution's key, is the object's
// metadata. 64 KiB: a 512x512 frame is 8 chunks, and a thumbnail read wastes at most one.
const (
	version = "yuanzhen object 1"
	chunk   = 64 << 10
	tag     = 16
)

// Bucket keeps sealed bytes as they come: one of an S3 server (s3.go), or one of the folder of a single machine (package
// folder). Its errors are those of Explain.
type Bucket interface {
	// Put writes an object of exactly size bytes once, with its wrapped key, and is on the disk when it returns. Body is
	// not read any more then. A failed Put leaves nothing behind.
	Put(ctx context.Context, key Key, body io.Reader, size int64, wrapped string) error
	// Get reads n bytes from off as they lie, to the end for n < 0. total is the whole object's size.
	Get(ctx context.Context, key Key, off, n int64) (body io.ReadCloser, total int64, wrapped string, err error)
	Stat(ctx context.Context, key Key) (size int64, err error)
	Remove(ctx context.Context, key Key) error
	Ready(ctx context.Context) error
	Close()
}

// Explain makes the house's error of a bucket's, by its code in the S3 API.
func Explain(err error, code string) error {
	if err == nil {
		return nil
	}
	switch code {
	case "NoSuchKey":
		return missing.Because(err)
	case "PreconditionFailed":
		return exists.Because(err)
	case "InvalidRange":
		return beyond.Because(err)
	}
	return away.Because(err)
}

// Store is a bucket of sealed objects.
type Store struct {
	bucket Bucket
	keys   Keys
}

// New is a store over an open bucket.
func New(b Bucket, keys Keys) *Store { return &Store{b, keys} }

// Close ends the use of the bucket.
func (s *Store) Close() { s.bucket.Close() }

// Ready reports whether the bucket answers.
func (s *Store) Ready(ctx context.Context) error { return s.bucket.Ready(ctx) }

func (s *Store) Put(ctx context.Context, key Key, body io.Reader, size int64) error {
	place, err := key.Place()
	if err != nil {
		return err
	}
	dataKey := make([]byte, 32)
	rand.Read(dataKey)
	wrapped, err := s.keys.Seal(ctx, place, dataKey, binding(key))
	if err != nil {
		return fmt.Errorf("wrap data key: %w", err)
	}
	seal := &sealer{src: body, left: size, aead: gcm(dataKey), key: key}
	if err := s.bucket.Put(ctx, key, seal, sealed(size), base64.StdEncoding.EncodeToString(wrapped)); err != nil {
		if seal.err != nil { // the sender's fault, not the store's
			err = seal.err
		}
		return fmt.Errorf("put object: %w", err)
	}
	return nil
}

func (s *Store) Get(ctx context.Context, key Key, off, n int64) (io.ReadCloser, error) {
	place, err := key.Place()
	if err != nil {
		return nil, missing.Because(err)
	}
	if off < 0 {
		return nil, beyond
	}
	first := off / chunk
	length := int64(-1)
	if n >= 0 {
		last := max(off, off+n-1) / chunk
		length = (last - first + 1) * (chunk + tag)
	}
	body, total, wrapped, err := s.bucket.Get(ctx, key, first*(chunk+tag), length)
	if err != nil {
		return nil, fmt.Errorf("get object: %w", err)
	}
	fail := func(err error) (io.ReadCloser, error) {
		body.Close()
		return nil, err
	}
	size, ok := plain(total)
	if !ok {
		return fail(altered)
	}
	if off > 0 && off >= size {
		return fail(beyond)
	}
	b, err := base64.StdEncoding.DecodeString(wrapped)
	if err != nil {
		return fail(altered.Because(err))
	}
	dataKey, err := s.keys.Open(ctx, place, b, binding(key))
	if err != nil || len(dataKey) != 32 {
		return fail(altered.Because(fmt.Errorf("unwrap data key: %w", err)))
	}
	if n < 0 || n > size-off {
		n = size - off
	}
	o := &opener{src: body, aead: gcm(dataKey), key: key, number: first, last: chunks(size) - 1,
		skip: int(off - first*chunk), left: n}
	if size == 0 { // nobody will read the one empty chunk, so authenticate it here
		if err := o.open(); err != nil {
			return fail(err)
		}
	}
	return o, nil
}

func (s *Store) Stat(ctx context.Context, key Key) (Info, error) {
	total, err := s.bucket.Stat(ctx, key)
	if err != nil {
		return Info{}, fmt.Errorf("stat object: %w", err)
	}
	size, ok := plain(total)
	if !ok {
		return Info{}, altered
	}
	return Info{Size: size}, nil
}

func (s *Store) Delete(ctx context.Context, key Key) error {
	if err := s.bucket.Remove(ctx, key); err != nil {
		return fmt.Errorf("delete object: %w", err)
	}
	return nil
}

// chunks of an object: an empty one still has its last chunk, so that emptiness is authenticated too.
func chunks(size int64) int64 { return max(1, (size+chunk-1)/chunk) }

func sealed(size int64) int64 { return size + chunks(size)*tag }

// plain is the inverse of sealed; false where no plain size leads to total.
func plain(total int64) (int64, bool) {
	n := (total + chunk + tag - 1) / (chunk + tag)
	size := total - n*tag
	return size, size >= 0 && sealed(size) == total
}

func gcm(dataKey []byte) cipher.AEAD {
	block, err := aes.NewCipher(dataKey)
	if err != nil {
		panic(err) // only for another length than 32, which both callers have checked
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM wants
	}
	return aead
}

func binding(key Key) []byte { return []byte(version + "\x00" + string(key)) }

func chunkAt(key Key, number int64, last bool) (nonce, aad []byte) {
	nonce = binary.BigEndian.AppendUint64(make([]byte, 4, 12), uint64(number))
	aad = append(binding(key), 0)
	aad = append(aad, nonce...)
	if last {
		aad = append(aad, 1)
	}
	return nonce, aad
}

// sealer reads plain bytes from src and yields the envelope.
type sealer struct {
	src    io.Reader
	left   int64 // plain bytes still to come
	aead   cipher.AEAD
	key    Key
	number int64
	done   bool
	buf    []byte // for a chunk that is larger than what it is read into
	rest   []byte // of it
	err    error  // why src failed
}

func (s *sealer) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if s.done {
			return 0, io.EOF
		}
		n := min(s.left, chunk)
		to, fits := p, int64(len(p)) >= n+tag // sealed where it is to lie
		if !fits {
			s.buf = slices.Grow(s.buf[:0], chunk+tag)
			to = s.buf[:n+tag]
		}
		if _, err := io.ReadFull(s.src, to[:n]); err != nil {
			s.err = fmt.Errorf("body ended %d bytes early: %w", s.left, err)
			return 0, s.err
		}
		s.left -= n
		s.done = s.left == 0
		nonce, aad := chunkAt(s.key, s.number, s.done)
		s.number++
		whole := s.aead.Seal(to[:0], nonce, to[:n], aad)
		if fits {
			return len(whole), nil
		}
		s.rest = whole
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// opener reads the envelope from src, starting at chunk number, and yields left plain bytes after skip.
type opener struct {
	src    io.ReadCloser
	aead   cipher.AEAD
	key    Key
	number int64
	last   int64
	skip   int
	left   int64
	buf    []byte // authenticated bytes not yet handed out
	raw    [chunk + tag]byte
}

func (o *opener) Read(p []byte) (int, error) {
	if o.left == 0 {
		return 0, io.EOF
	}
	if len(o.buf) == 0 {
		if err := o.open(); err != nil {
			return 0, err
		}
	}
	n := copy(p, o.buf[:min(int64(len(o.buf)), o.left)])
	o.buf = o.buf[n:]
	o.left -= int64(n)
	return n, nil
}

// WriteTo spares io.Copy its buffer: a chunk goes out as it was opened.
func (o *opener) WriteTo(w io.Writer) (written int64, err error) {
	for o.left > 0 {
		if len(o.buf) == 0 {
			if err := o.open(); err != nil {
				return written, err
			}
		}
		n, err := w.Write(o.buf[:min(int64(len(o.buf)), o.left)])
		o.buf, o.left, written = o.buf[n:], o.left-int64(n), written+int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func (o *opener) open() error {
	n, err := io.ReadFull(o.src, o.raw[:])
	if err == io.EOF || err != nil && err != io.ErrUnexpectedEOF {
		if err == io.EOF {
			err = altered
		}
		return fmt.Errorf("read chunk %d: %w", o.number, err)
	}
	nonce, aad := chunkAt(o.key, o.number, o.number == o.last)
	b, err := o.aead.Open(o.raw[:0], nonce, o.raw[:n], aad)
	if err != nil || len(b) < o.skip {
		return altered.Because(fmt.Errorf("chunk %d of %s", o.number, o.key))
	}
	o.buf, o.skip = b[o.skip:], 0
	o.number++
	return nil
}

func (o *opener) Close() error { return o.src.Close() }
