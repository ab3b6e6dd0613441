package storage_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
	"yuanzhen/storage"
	"yuanzhen/storage/storagetest"
)

func TestContractOnGateway(t *testing.T) { contract(t, storagetest.Gateway(t)) }
func TestContractOnMinIO(t *testing.T)   { contract(t, storagetest.S3(t, storagetest.MinIO(t))) }

// contract is what every bucket must do for us.
func contract(t *testing.T, bucket storage.Bucket) {
	ctx := t.Context()
	store := storage.New(bucket, storagetest.NewKeys())
	// Who can read and write the bucket, and has no keys.
	take := func(t *testing.T, key storage.Key) (lies []byte, wrapped string) {
		t.Helper()
		body, _, wrapped, err := bucket.Get(ctx, key, 0, -1)
		if lies, err = readAll(body, err); err != nil {
			t.Fatal(err)
		}
		return lies, wrapped
	}
	replace := func(t *testing.T, key storage.Key, lies []byte, wrapped string) {
		t.Helper()
		err := bucket.Remove(ctx, key)
		if err == nil {
			err = bucket.Put(ctx, key, bytes.NewReader(lies), int64(len(lies)), wrapped)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	place := ids.New[ids.Institution]()
	put := func(t *testing.T, body []byte) storage.Key {
		t.Helper()
		key := storage.NewKey(place)
		if err := store.Put(ctx, key, bytes.NewReader(body), int64(len(body))); err != nil {
			t.Fatal(err)
		}
		return key
	}

	t.Run("what was put comes back, at every size around a chunk", func(t *testing.T) {
		for _, size := range []int{0, 1, 65535, 65536, 65537, 131072, 1 << 20, 1<<20 + 1, 40 << 20} {
			body := random(size)
			key := put(t, body)
			if got := read(t, store, key, 0, -1); !bytes.Equal(got, body) {
				t.Errorf("size %d: %d bytes came back, or others", size, len(got))
			}
			if info, err := store.Stat(ctx, key); err != nil || info.Size != int64(size) {
				t.Errorf("size %d: stat %d, %v", size, info.Size, err)
			}
		}
	})
	t.Run("any range equals the slice", func(t *testing.T) {
		body := random(200_000)
		key := put(t, body)
		for _, r := range [][2]int{{0, 0}, {0, 1}, {1, 65535}, {65535, 2}, {65536, 65536}, {131071, 1}, {70_000, 100_000}, {199_999, 1}, {199_999, 500}, {150_000, -1}} {
			end := len(body)
			if r[1] >= 0 {
				end = min(end, r[0]+r[1])
			}
			if got := read(t, store, key, int64(r[0]), int64(r[1])); !bytes.Equal(got, body[r[0]:end]) {
				t.Errorf("range %v: %d bytes, want %d", r, len(got), end-r[0])
			}
		}
		for _, off := range []int64{200_000, 1 << 30, -1} {
			if _, err := store.Get(ctx, key, off, 10); fault.KindOf(err) != fault.Invalid {
				t.Errorf("offset %d: %v", off, err)
			}
		}
	})
	t.Run("an object is written once", func(t *testing.T) {
		key := put(t, []byte("first"))
		if err := store.Put(ctx, key, strings.NewReader("other"), 5); fault.KindOf(err) != fault.Conflict {
			t.Errorf("second put: %v", err)
		}
		if got := read(t, store, key, 0, -1); string(got) != "first" {
			t.Errorf("now %q", got)
		}
	})
	t.Run("a body that ends early or fails leaves nothing", func(t *testing.T) {
		for name, body := range map[string]io.Reader{
			"short":       bytes.NewReader(random(100)),
			"short large": bytes.NewReader(random(20 << 20)),
			"failing":     io.MultiReader(bytes.NewReader(random(70_000)), iotest.ErrReader(errors.New("link cut"))),
		} {
			key := storage.NewKey(place)
			if err := store.Put(ctx, key, body, 30<<20); err == nil {
				t.Errorf("%s: accepted", name)
			}
			if _, err := store.Stat(ctx, key); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("what is not there is not found, and deleting it is no error", func(t *testing.T) {
		key := put(t, random(10))
		for range 2 {
			if err := store.Delete(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := store.Get(ctx, key, 0, -1); fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
		if _, err := store.Stat(ctx, key); fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
	})
	t.Run("the server holds nothing readable", func(t *testing.T) {
		secret := bytes.Repeat([]byte("王小东 CT 2026-11-21 "), 5000)
		key := put(t, secret)
		lies, _ := take(t, key)
		if bytes.Contains(lies, []byte("王小东")) || len(lies) <= len(secret) {
			t.Fatalf("%d bytes lie there", len(lies))
		}
	})
	t.Run("an object that was altered, cut, exchanged or forged is noticed", func(t *testing.T) {
		key, other := put(t, random(200_000)), put(t, random(200_000))
		lies, wrapped := take(t, key)
		foreign, foreignKey := take(t, other)
		flipped := bytes.Clone(lies)
		flipped[100_000] ^= 1
		swapped := slices.Concat(lies[65552:131104], lies[:65552], lies[131104:])
		for name, forged := range map[string]struct {
			bytes   []byte
			wrapped string
		}{
			"one bit":                 {flipped, wrapped},
			"two chunks exchanged":    {swapped, wrapped},
			"last chunk gone":         {lies[:131104], wrapped},
			"cut inside a chunk":      {lies[:len(lies)-5], wrapped},
			"another object in place": {foreign, foreignKey},
			"another object's bytes":  {foreign, wrapped},
			"no key":                  {lies, ""},
			"nothing left":            {nil, wrapped},
		} {
			replace(t, key, forged.bytes, forged.wrapped)
			if _, err := readAll(store.Get(ctx, key, 0, -1)); fault.KindOf(err) != fault.Internal || fault.As(err).Code != "object_altered" {
				t.Errorf("%s: read without complaint: %v", name, err)
			}
		}
		replace(t, key, lies, wrapped)
		read(t, store, key, 0, -1) // the true bytes in the true place are still good
	})
}

func TestADeadStoreIsSaidSoSoon(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := storage.Config{Endpoint: "http://" + l.Addr().String(), AccessKey: "a", SecretKey: "b", Bucket: "yuanzhen"}
	l.Close()
	start := time.Now()
	_, err = storage.OpenS3(t.Context(), c)
	if fault.KindOf(err) != fault.Unavailable || fault.As(err).Remedy.ZH == "" {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestABrokenEndpointNamesTheSetting(t *testing.T) {
	for _, endpoint := range []string{"", "127.0.0.1:9000", "ftp://host", "http://"} {
		_, err := storage.OpenS3(t.Context(), storage.Config{Endpoint: endpoint})
		if err == nil || !strings.Contains(err.Error(), "YUANZHEN_S3_ENDPOINT") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func read(t *testing.T, store storage.Objects, key storage.Key, off, n int64) []byte {
	t.Helper()
	b, err := readAll(store.Get(t.Context(), key, off, n))
	if err != nil {
		t.Errorf("read %d+%d: %v", off, n, err)
	}
	return b
}

func readAll(rc io.ReadCloser, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}
