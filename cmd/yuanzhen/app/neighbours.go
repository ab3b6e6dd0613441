package app

import (
	"context"
	"io"

	"github.com/jackc/pgx/v5"

	"yuanzhen/consult"
	"yuanzhen/internal/ids"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/rule"
	"yuanzhen/prescribe"
	"yuanzhen/storage"
)

// files keeps evidence in the object store: consult.Files over storage.Objects.
type files struct{ store storage.Objects }

func (f files) Put(ctx context.Context, place ids.Institution, body io.Reader, size int64) (string, error) {
	key := storage.NewKey(place)
	_, err := f.store.Put(ctx, key, body, size)
	return string(key), err
}

func (f files) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	return f.store.Get(ctx, storage.Key(key), 0, -1)
}

func (f files) Delete(ctx context.Context, key string) error {
	return f.store.Delete(ctx, storage.Key(key))
}

// visits is what prescribe asks of consult.
type visits struct{ *consult.Service }

func (v visits) Facts(ctx context.Context, db pg.DB, id ids.Visit) (prescribe.VisitFacts, error) {
	s, err := v.Standing(ctx, db.(pgx.Tx), id)
	return prescribe.VisitFacts(s), err
}

func (v visits) JudgeForSigning(ctx context.Context, db pg.DB, id ids.Visit) ([]rule.Reason, error) {
	d, err := v.Service.JudgeForSigning(ctx, db.(pgx.Tx), id)
	return d.Reasons, err
}
