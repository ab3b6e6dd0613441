package storage

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Config says which S3 server to use. Any will do: only PUT, GET with Range, HEAD and DELETE are asked of it.
type Config struct {
	Endpoint  string // "http://127.0.0.1:9000" or "https://s3.example.org"
	AccessKey string
	SecretKey string
	Region    string // "us-east-1" when empty; always sent, so that the client never asks the server for it
	Bucket    string // made by OpenS3 when missing
}

const (
	// A call that moves no bytes for this long has met a dead server; a hospital disk answers within 100 ms.
	stall = 10 * time.Second
	// A PUT is given stall plus its size at 512 KiB/s, a tenth of what the slowest tried store took.
	slowest = 512 << 10
	// What is held while it is sent: a retry can send it again, and the sender's own bytes are not read any more when put
	// returns. Sealed pieces of uploads, and most images, are within it.
	held = 5 << 20
	// The envelope's wrapped data key travels as user metadata, so that one ranged GET is enough to read a frame.
	keyHeader = "Yz-Key"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// s3 is one bucket of an S3 server.
type s3 struct {
	client *minio.Core
	lines  *http.Transport
	bucket string
}

// OpenS3 reaches the S3 server and makes the bucket when it is missing. A server that does not answer is
// fault.Unavailable within seconds; a malformed endpoint is an error that names the setting.
func OpenS3(ctx context.Context, c Config) (Bucket, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("YUANZHEN_S3_ENDPOINT %q: want http://host:port or https://host", c.Endpoint)
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	lines := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: stall,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
	client, err := minio.NewCore(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure:       u.Scheme == "https",
		Region:       c.Region,
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   3,
		Transport:    lines,
	})
	if err != nil {
		return nil, fmt.Errorf("YUANZHEN_S3_ENDPOINT %q: %w", c.Endpoint, err)
	}
	s := &s3{client: client, lines: lines, bucket: c.Bucket}
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	there, err := client.BucketExists(ctx, c.Bucket)
	if err == nil && !there {
		err = client.MakeBucket(ctx, c.Bucket, minio.MakeBucketOptions{Region: c.Region})
	}
	if code := minio.ToErrorResponse(err).Code; code == "BucketAlreadyOwnedByYou" { // another node of ours was first
		err = nil
	}
	if err != nil {
		return nil, away.Because(fmt.Errorf("bucket %s at %s: %w", c.Bucket, u.Host, err))
	}
	return s, nil
}

func (s *s3) Put(ctx context.Context, key Key, body io.Reader, size int64, wrapped string) error {
	ctx, cancel := context.WithTimeout(ctx, stall+time.Duration(size/slowest)*time.Second)
	defer cancel()
	opts := minio.PutObjectOptions{
		ContentType:  "application/octet-stream",
		UserMetadata: map[string]string{keyHeader: wrapped},
		PartSize:     16 << 20,
	}
	opts.SetMatchETagExcept("*")
	if size <= held {
		kept := pieces.Get().(*[]byte)
		defer pieces.Put(kept)
		*kept = slices.Grow((*kept)[:0], int(size))
		b := (*kept)[:size]
		if _, err := io.ReadFull(body, b); err != nil {
			return err
		}
		lent := &lent{r: bytes.NewReader(b)}
		defer lent.end()
		body = lent
		// A checksum that the processor computes stands in for the signature over the bytes: what was altered on the
		// way is refused, and who alters on purpose meets the envelope, which no signature of the store's adds to.
		opts.DisableContentSha256 = true
		opts.UserMetadata["X-Amz-Checksum-Crc32c"] = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli)))
	}
	_, err := s.client.Client.PutObject(ctx, s.bucket, string(key), body, size, opts)
	return answered(err)
}

// pieces are what is held, kept because slices come by the hundred.
var pieces = sync.Pool{New: func() any { return new([]byte) }}

// lent is read no more once it has ended: the transport doesn't promise that when it answers.
type lent struct {
	mu sync.Mutex
	r  *bytes.Reader // guarded by mu
}

func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

func (l *lent) Seek(offset int64, whence int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Seek(offset, whence)
}

func (l *lent) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.r.Reset(nil)
}

func (s *s3) Get(ctx context.Context, key Key, off, n int64) (body io.ReadCloser, total int64, wrapped string, err error) {
	var opts minio.GetObjectOptions
	switch {
	case n >= 0:
		err = opts.SetRange(off, off+n-1)
	case off > 0:
		err = opts.SetRange(off, 0)
	}
	if err != nil {
		return nil, 0, "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(stall, cancel)
	rc, info, header, err := s.client.GetObject(ctx, s.bucket, string(key), opts)
	if err != nil {
		timer.Stop()
		cancel()
		return nil, 0, "", answered(err)
	}
	total = info.Size
	if _, of, ranged := strings.Cut(header.Get("Content-Range"), "/"); ranged {
		if total, err = strconv.ParseInt(of, 10, 64); err != nil {
			err = altered.Because(fmt.Errorf("Content-Range of %s: %w", key, err))
		}
	}
	return &watched{rc, timer, cancel}, total, info.UserMetadata[keyHeader], err
}

func (s *s3) Stat(ctx context.Context, key Key) (size int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	info, err := s.client.StatObject(ctx, s.bucket, string(key), minio.StatObjectOptions{})
	return info.Size, answered(err)
}

func (s *s3) Remove(ctx context.Context, key Key) error {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	return answered(s.client.RemoveObject(ctx, s.bucket, string(key), minio.RemoveObjectOptions{}))
}

func (s *s3) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	there, err := s.client.BucketExists(ctx, s.bucket)
	if err == nil && !there {
		err = fmt.Errorf("bucket %s is gone", s.bucket)
	}
	return answered(err)
}

// answered turns what the client says into what the house says.
func answered(err error) error { return Explain(err, minio.ToErrorResponse(err).Code) }

// Close hangs up idle connections.
func (s *s3) Close() { s.lines.CloseIdleConnections() }

// watched ends a read that stalls; a long read that moves may take its time.
type watched struct {
	io.ReadCloser
	timer  *time.Timer
	cancel context.CancelFunc
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.timer.Reset(stall)
	if err != nil && !errors.Is(err, io.EOF) {
		err = away.Because(err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	defer w.cancel()
	return w.ReadCloser.Close()
}
