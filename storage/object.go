// Package storage keeps the house's bytes: images, evidence, signed documents.
//
// Everything lies in one bucket of an S3 server, under random keys, sealed with the institution's own key before it
// leaves the process (envelope.go). The server sees no name, no identity and no picture; nothing rests on its own
// encryption or signatures. Whoever may see an object is asked in SQL by the domain that owns it, never here.
package storage

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"io"
	"strings"

	"yuanzhen/internal/fault"
	"yuanzhen/internal/ids"
)

// Objects is the store as the domains see it. Tests of what happens when a store fails half-way stand in for it;
// the house has one implementation, Store.
type Objects interface {
	// Put writes a new object of exactly size bytes. Objects are never changed: an existing key is fault.Conflict.
	// A failed Put leaves nothing behind.
	Put(ctx context.Context, key Key, body io.Reader, size int64) error
	// Get reads n bytes from offset off, fewer where the object ends before; n < 0 reads to the end. An offset
	// at or beyond the end is fault.Invalid (0 of an empty object is not), an unknown key fault.NotFound. Bytes are authenticated before they are
	// returned: an object that was altered, cut or exchanged ends the read with fault.Internal.
	Get(ctx context.Context, key Key, off, n int64) (io.ReadCloser, error)
	Stat(ctx context.Context, key Key) (Info, error)
	// Delete removes the object; deleting what is not there succeeds.
	Delete(ctx context.Context, key Key) error
}

// Info describes an object's plain bytes.
type Info struct {
	Size int64
}

// Key names an object: the institution whose key seals it, then 128 random bits. It says nothing about the content.
type Key string

// NewKey draws a fresh key. Key order is random so that neighbours in time don't meet in one partition.
func NewKey(place ids.Institution) Key {
	var b [16]byte
	rand.Read(b[:])
	return Key(place.String() + "/" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])))
}

// Place is the institution whose key seals the object.
func (k Key) Place() (ids.Institution, error) {
	place, name, _ := strings.Cut(string(k), "/")
	id, err := ids.Parse[ids.Institution](place)
	if err == nil && len(name) != 26 {
		err = fmt.Errorf("name has %d characters, want 26", len(name))
	}
	if err != nil {
		return id, fmt.Errorf("object key: %w", err)
	}
	return id, nil
}

var (
	missing = fault.New(fault.NotFound, "object_missing", "没有找到这份文件。", "This file is not there.").
		WithRemedy("请从列表里重新打开；还不行请联系信息科。", "Please open it again from its list; if that fails, call your IT desk.")
	exists = fault.New(fault.Conflict, "object_exists", "这份文件已经存过了。", "This file is already stored.").
		WithRemedy("请刷新后再看。", "Please refresh and look again.")
	beyond = fault.New(fault.Invalid, "range_beyond_end", "要读的位置超出了文件末尾。", "The place to read lies beyond the end of the file.").
		WithRemedy("请从头读取。", "Please read from the start.")
	altered = fault.New(fault.Internal, "object_altered", "这份文件与存入时不一致，已停止读取。", "This file is not what was stored; reading was stopped.").
		WithRemedy("请不要使用已显示的部分，并联系信息科。", "Please don't use what is shown, and call your IT desk.")
	away = fault.New(fault.Unavailable, "object_store_away", "文件库暂时连不上，没有写入也没有丢失任何内容。", "The object store can't be reached; nothing was written and nothing is lost.").
		WithRemedy("请稍后再试。管理员：看 /readyz，并检查 YUANZHEN_S3_ENDPOINT 与密钥。", "Please try again shortly. Administrators: see /readyz and check YUANZHEN_S3_ENDPOINT and its keys.")
)
