// Package folder is the object store of a single machine: the file backend of versitygw (Apache-2.0), an S3 gateway, inside
// the process. Objects lie as the gateway lays them, so that it can serve the folder; none of their bytes goes through a socket.
//
// Two things a caller must know. Only one folder can be open in a process at a time. And the backend makes it the process's
// WORKING DIRECTORY: make every other path absolute before Open.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
	"golang.org/x/sys/unix"

	"yuanzhen/storage"
)

// The wrapped data key among an object's metadata, as an S3 server in front of the folder would name it.
const keyName = "yz-key"

// Folder is an open folder. Open made it; Close ends it.
type Folder struct {
	files *posix.Posix
	dir   string // absolute
	side  bool   // attributes lie in files of their own
}

// Open takes the folder dir, which must be absolute and is made when missing.
func Open(dir string) (*Folder, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("object store folder %q: must be an absolute path", dir)
	}
	objects, side := filepath.Join(dir, "objects"), filepath.Join(dir, "attributes")
	if err := os.MkdirAll(objects, 0o700); err != nil {
		return nil, fmt.Errorf("object store folder: %w", err)
	}
	attributes, opts, err := attributeStore(objects, side)
	if err != nil {
		return nil, err
	}
	files, err := posix.New(objects, attributes, opts)
	if err != nil {
		return nil, fmt.Errorf("object store folder %s: %w", dir, err)
	}
	return &Folder{files, objects, opts.SideCarDir != ""}, nil
}

// Close ends it; nothing may use its buckets any more.
func (f *Folder) Close() { f.files.Shutdown() }

// Bucket opens a bucket of the folder, and makes it when missing.
func (f *Folder) Bucket(ctx context.Context, name string) (storage.Bucket, error) {
	b := bucket{f, name}
	err := b.Ready(ctx)
	if code(err) == "NoSuchBucket" {
		err = f.files.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name, ObjectOwnership: types.ObjectOwnershipBucketOwnerEnforced,
			CreateBucketConfiguration: new(types.CreateBucketConfiguration)}, []byte("{}"))
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s in %s: %w", name, f.dir, err)
	}
	return b, nil
}

type bucket struct {
	*Folder
	name string
}

// Put is on the disk before it returns: a power cut would otherwise take what a row in the database says is there.
func (b bucket) Put(ctx context.Context, key storage.Key, body io.Reader, size int64, wrapped string) error {
	never := "*"
	_, err := b.files.PutObject(ctx, s3response.PutObjectInput{Bucket: &b.name, Key: (*string)(&key), ContentLength: &size, IfNoneMatch: &never,
		// Of the checksums this is the one that the processor computes.
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c, Metadata: map[string]string{keyName: wrapped}, Body: reader{ctx, body}})
	if err == nil {
		err = b.sync(key)
	}
	return explain(err)
}

// reader ends a body whose request has ended.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// sync is for the object and its name; an object that can't be synced is taken back.
func (b bucket) sync(key storage.Key) error {
	path := filepath.Join(b.dir, b.name, string(key))
	file, err := os.Open(path)
	if err == nil {
		if b.side {
			err = unix.Syncfs(int(file.Fd()))
		} else {
			err = file.Sync()
		}
		err = errors.Join(err, file.Close())
	}
	if err == nil {
		var folder *os.File
		if folder, err = os.Open(filepath.Dir(path)); err == nil {
			err = errors.Join(folder.Sync(), folder.Close())
		}
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("sync object: %w", err), os.Remove(path))
	}
	return err
}

func (b bucket) Get(ctx context.Context, key storage.Key, off, n int64) (io.ReadCloser, int64, string, error) {
	// The whole object is a file, which is read from where one likes; a range of it would come through a megabyte of buffer.
	o, err := b.files.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: (*string)(&key)})
	if err != nil {
		return nil, 0, "", explain(err)
	}
	total, wrapped := *o.ContentLength, o.Metadata[keyName]
	if off == 0 && n < 0 {
		return o.Body, total, wrapped, nil
	}
	file, ok := o.Body.(io.Seeker)
	if !ok {
		o.Body.Close()
		return nil, 0, "", explain(fmt.Errorf("%T can't be read from within", o.Body))
	}
	if off >= total {
		err = storage.Explain(fmt.Errorf("byte %d of %d", off, total), "InvalidRange")
	} else if _, err = file.Seek(off, io.SeekStart); err != nil {
		err = explain(err)
	}
	if err != nil {
		o.Body.Close()
		return nil, 0, "", err
	}
	if n < 0 {
		n = total - off
	}
	return part{io.LimitReader(o.Body, n), o.Body}, total, wrapped, nil
}

type part struct {
	io.Reader
	io.Closer
}

func (b bucket) Stat(ctx context.Context, key storage.Key) (int64, error) {
	o, err := b.files.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: (*string)(&key)})
	if err != nil {
		return 0, explain(err)
	}
	return *o.ContentLength, nil
}

func (b bucket) Remove(ctx context.Context, key storage.Key) error {
	_, err := b.files.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: (*string)(&key)})
	return explain(err)
}

func (b bucket) Ready(ctx context.Context) error {
	_, err := b.files.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.name})
	return explain(err)
}

// Close does nothing: the folder is another's to close.
func (b bucket) Close() {}

func code(err error) string {
	if known, ok := errors.AsType[s3err.S3Error](err); ok {
		return known.BaseError().Code
	}
	return ""
}

func explain(err error) error { return storage.Explain(err, code(err)) }

// attributeStore keeps S3 metadata (our wrapped keys among it) in extended attributes, or in files beside the
// objects where the file system has none. A folder once begun with files stays with files.
func attributeStore(objects, side string) (meta.MetadataStorer, posix.PosixOpts, error) {
	// Nobody reads the ETag: the checksum that is taken anyhow does for it, and saves an MD5 of every byte.
	// Nor does another process write here: no lock file is made for each object, and none is deleted, whose inode the file
	// system would go on stepping over for minutes.
	opts := posix.PosixOpts{ValidateBucketNames: true, DataIntegrityEtag: true, ForceNoObjLockFile: true}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	_, err := os.Stat(side)
	if err != nil && syscall.Setxattr(objects, "user.yuanzhen.probe", []byte("1"), 0) == nil {
		return meta.XattrMeta{}, opts, nil
	}
	if err := os.MkdirAll(side, 0o700); err != nil {
		return nil, opts, fmt.Errorf("object store attributes: %w", err)
	}
	opts.SideCarDir = side
	files, err := meta.NewSideCar(side)
	if err != nil {
		return nil, opts, fmt.Errorf("object store attributes: %w", err)
	}
	return files, opts, nil
}
