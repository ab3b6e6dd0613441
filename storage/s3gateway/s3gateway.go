// Package s3gateway runs an S3 server (versitygw, Apache-2.0) inside the process, on loopback, over a folder.
//
// It is the object store of a single machine: the same client speaks to it as to any S3 server. Two things a caller
// must know. Only one gateway can run in a process at a time. And the gateway's file backend makes its folder the
// process's WORKING DIRECTORY: make every other path absolute before Start.
package s3gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3response"
	"golang.org/x/sys/unix"

	"yuanzhen/storage"
)

// Gateway is a running S3 server. Start made it; Stop ends it.
type Gateway struct {
	config storage.Config
	stop   context.CancelFunc
	done   chan error // closed when the server has ended
}

// Start serves the folder dir, which must be absolute and is made when missing, and returns when the server
// listens. Credentials are drawn anew at each start and never written down.
func Start(ctx context.Context, dir string) (*Gateway, error) {
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
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		config: storage.Config{Endpoint: "http://" + addr, AccessKey: rand.Text(), SecretKey: rand.Text(),
			Region: "us-east-1", Bucket: "yuanzhen"},
		done: make(chan error, 1),
	}
	root := auth.Account{Access: g.config.AccessKey, Secret: g.config.SecretKey, Role: auth.RoleAdmin}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.stop = stop
	listening := make(chan struct{})
	go func() {
		defer close(g.done)
		g.done <- embedgw.RunVersityGW(run, synced{files, objects, opts.SideCarDir != ""}, &embedgw.Config{
			RootUserAccess: root.Access, RootUserSecret: root.Secret, Region: g.config.Region,
			IAMService: auth.NewIAMServiceSingle(root),
			Ports:      []string{addr}, MaxConnections: 1024, MaxRequests: 512, MultipartMaxParts: 10000,
			KeepAlive: true, Quiet: true, DisableACLs: true,
			S3Options: []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
		})
	}()
	select {
	case <-listening:
		if err := answered(ctx, g.config.Endpoint); err != nil {
			return nil, errors.Join(fmt.Errorf("object store on %s: %w", addr, err), g.Stop())
		}
		return g, nil
	case err := <-g.done:
		stop()
		return nil, fmt.Errorf("object store on %s: %w", addr, err)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), g.Stop())
	}
}

// synced puts an object on the disk before the gateway answers for it, which the file backend leaves to the kernel: a
// power cut would take what a row in the database says is there.
type synced struct {
	*posix.Posix
	dir  string
	side bool // attributes lie in files of their own
}

func (s synced) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := s.Posix.PutObject(ctx, in)
	if err == nil {
		err = s.sync(*in.Bucket, *in.Key)
	}
	return out, err
}

func (s synced) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	out, version, err := s.Posix.CompleteMultipartUpload(ctx, in)
	if err == nil {
		err = s.sync(*in.Bucket, *in.Key)
	}
	return out, version, err
}

// sync is for the object and its name; an object that can't be synced is taken back.
func (s synced) sync(bucket, key string) error {
	path := filepath.Join(s.dir, bucket, key)
	file, err := os.Open(path)
	if err == nil {
		if s.side {
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

// answered waits for the first answer, whatever it says. The gateway says that it listens a moment before its server
// knows the listener, and a Stop in that moment would leave the server running for good.
func answered(ctx context.Context, endpoint string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Config is what storage.Open needs to reach the gateway.
func (g *Gateway) Config() storage.Config { return g.config }

// Stop ends the server and waits for it; the gateway gives running requests and open connections 10 s, so close the
// stores that use it first.
func (g *Gateway) Stop() error {
	g.stop()
	select {
	case err := <-g.done:
		return err
	case <-time.After(15 * time.Second):
		return errors.New("object store gateway did not stop within 15 s")
	}
}

// attributeStore keeps S3 metadata (our wrapped keys among it) in extended attributes, or in files beside the
// objects where the file system has none. A folder once begun with files stays with files.
func attributeStore(objects, side string) (meta.MetadataStorer, posix.PosixOpts, error) {
	// Nobody reads the ETag: the checksum that is taken anyhow does for it, and saves an MD5 of every byte.
	opts := posix.PosixOpts{ValidateBucketNames: true, DataIntegrityEtag: true}
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

// freePort asks the kernel for a loopback port. The gateway opens it anew; if another process takes it in between,
// Start fails and says so.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("object store port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
