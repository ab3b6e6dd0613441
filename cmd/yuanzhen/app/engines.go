package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"yuanzhen/cmd/yuanzhen/embedded"
	"yuanzhen/internal/keys"
	"yuanzhen/internal/pg"
	"yuanzhen/internal/pg/pgserver"
	"yuanzhen/migrations"
	"yuanzhen/storage"
	"yuanzhen/storage/folder"
)

// engines are the parts below the house: database, objects, bus.
type engines struct {
	vault *keys.Vault
	db    *pg.Pool
	store *storage.Store
	bus   *nats.Conn

	databaseURL                      string
	databaseKind, storeKind, busKind string
	stops                            []func() // in order of start
}

func (e *engines) onStop(f func()) { e.stops = append(e.stops, f) }

// stop ends them in reverse order.
func (e *engines) stop() {
	for i := len(e.stops) - 1; i >= 0; i-- {
		e.stops[i]()
	}
	e.stops = nil
}

// startEngines reaches or starts every engine and brings the database to the
// newest version. On an error nothing stays running.
func startEngines(ctx context.Context, o *Options) (e *engines, err error) {
	e = &engines{}
	defer func() {
		if err != nil {
			e.stop()
		}
	}()
	if o.mediaAlone() {
		if o.NATSURL != "" {
			err = e.startBus(o)
		}
		return e, err
	}
	if e.vault, err = openVault(o); err != nil {
		return e, err
	}
	if err = e.startDatabase(ctx, o); err != nil {
		return e, err
	}
	if err = e.startStore(ctx, o); err != nil {
		return e, err
	}
	return e, e.startBus(o)
}

func openVault(o *Options) (*keys.Vault, error) {
	if o.MasterKey == "" {
		return keys.OpenVault(o.Data)
	}
	v, err := keys.NewVault(o.MasterKey)
	if err != nil {
		return nil, fmt.Errorf("YUANZHEN_MASTER_KEY: %w", err)
	}
	return v, nil
}

// npmFolders is where `make postgres` puts the npm package's binaries.
func npmFolders(o *Options) []string {
	return []string{filepath.Join(o.Data, "npm", "node_modules"), filepath.Join("deploy", "postgres", "node_modules")}
}

func (e *engines) startDatabase(ctx context.Context, o *Options) error {
	e.databaseURL, e.databaseKind = o.DatabaseURL, "external"
	if e.databaseURL == "" {
		o.say("数据库 database: starting")
		server, err := pgserver.Start(ctx, pgserver.Options{Dir: o.Data, NPM: npmFolders(o)})
		if err != nil {
			return err
		}
		e.onStop(server.Stop)
		e.databaseURL, e.databaseKind = server.URL, server.Kind
	}
	reach, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	from, to, err := migrations.Run(reach, e.databaseURL, migrations.Latest)
	if err != nil {
		return fmt.Errorf("YUANZHEN_DATABASE_URL (%s): %w", e.databaseKind, err)
	}
	if from != to {
		o.say("数据库 database: migrated from version %d to %d", from, to)
	}
	if e.db, err = pg.Open(ctx, e.databaseURL); err != nil {
		return fmt.Errorf("YUANZHEN_DATABASE_URL (%s): %w", e.databaseKind, err)
	}
	e.onStop(e.db.Close)
	return nil
}

func (e *engines) startStore(ctx context.Context, o *Options) error {
	bucket, err := e.openBucket(ctx, o)
	if err != nil {
		return err
	}
	e.store = storage.New(bucket, keys.Institutional{Vault: e.vault})
	e.onStop(e.store.Close)
	return nil
}

func (e *engines) openBucket(ctx context.Context, o *Options) (storage.Bucket, error) {
	config := storage.Config{Endpoint: o.S3Endpoint, AccessKey: o.S3AccessKey, SecretKey: o.S3SecretKey, Region: o.S3Region, Bucket: o.S3Bucket}
	e.storeKind = "external S3"
	switch {
	case o.S3Endpoint != "":
	case o.Store == "minio":
		o.say("影像存储 object store: starting MinIO")
		server, err := embedded.StartMinIO(ctx, o.MinIOBin, filepath.Join(o.Data, "minio"))
		if err != nil {
			return nil, err
		}
		e.onStop(server.Stop)
		config, e.storeKind = server.Config, "MinIO (embedded process)"
	default:
		e.storeKind = "S3 gateway's folder (embedded)"
		objects, err := folder.Open(filepath.Join(o.Data, "objects"))
		if err != nil {
			return nil, err
		}
		e.onStop(objects.Close)
		return objects.Bucket(ctx, "yuanzhen")
	}
	bucket, err := storage.OpenS3(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("YUANZHEN_S3_ENDPOINT (%s): %w", e.storeKind, err)
	}
	return bucket, nil
}

func (e *engines) startBus(o *Options) (err error) {
	if o.NATSURL != "" {
		e.busKind = "external NATS"
		if e.bus, err = nats.Connect(o.NATSURL, nats.Timeout(5*time.Second), nats.MaxReconnects(-1)); err != nil {
			return fmt.Errorf("YUANZHEN_NATS_URL: %w", err)
		}
	} else {
		e.busKind = "NATS (embedded)"
		server, err := embedded.StartNATS()
		if err != nil {
			return err
		}
		e.onStop(server.Stop)
		if e.bus, err = server.Connect(); err != nil {
			return err
		}
	}
	e.onStop(e.bus.Close)
	return nil
}
