package storage

import (
	"bytes"
	"context"
	"io"
)

// Intruder can write to the bucket, and has no keys.
type Intruder struct{ s *s3 }

func OpenIntruder(ctx context.Context, c Config) (Intruder, error) {
	s, err := openS3(ctx, c)
	return Intruder{s}, err
}

// Take reads what lies in the bucket.
func (i Intruder) Take(ctx context.Context, key Key) (lies []byte, wrapped string, err error) {
	body, _, wrapped, err := i.s.get(ctx, key, 0, -1)
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	lies, err = io.ReadAll(body)
	return lies, wrapped, err
}

// Replace puts something else in its place.
func (i Intruder) Replace(ctx context.Context, key Key, lies []byte, wrapped string) error {
	if err := i.s.remove(ctx, key); err != nil {
		return err
	}
	return i.s.put(ctx, key, bytes.NewReader(lies), int64(len(lies)), wrapped)
}
