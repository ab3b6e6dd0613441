package app_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"yuanzhen/cmd/yuanzhen/app"
	"yuanzhen/internal/pg/pgtest"
)

// A setting that can't work stops the start, is named, and leaves nothing running.
func TestABrokenSettingIsNamed(t *testing.T) {
	database := pgtest.URL(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	folder := t.TempDir()
	aFile, policies := filepath.Join(folder, "file"), filepath.Join(folder, "policies")
	for _, err := range []error{os.WriteFile(aFile, nil, 0o600), os.Mkdir(policies, 0o700),
		os.WriteFile(filepath.Join(policies, "p.yaml"), []byte("scope: [unclosed"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := goleak.IgnoreCurrent()
	for _, c := range []struct {
		setting string
		alter   func(*app.Options)
	}{
		{"YUANZHEN_LISTEN", func(o *app.Options) { o.Listen = "everywhere" }},
		{"YUANZHEN_LISTEN", func(o *app.Options) { o.Listen = taken.Addr().String() }},
		{"YUANZHEN_DATA", func(o *app.Options) { o.Data = filepath.Join(aFile, "below") }},
		{"YUANZHEN_PUBLIC_URL", func(o *app.Options) { o.Public = "visit.example.org" }},
		{"YUANZHEN_DATABASE_URL", func(o *app.Options) { o.DatabaseURL = "mysql://127.0.0.1/x" }},
		{"YUANZHEN_DATABASE_URL", func(o *app.Options) { o.DatabaseURL = "postgres://nobody@127.0.0.1:1/x?sslmode=disable" }},
		{"YUANZHEN_DATABASE_URL", func(o *app.Options) { o.DatabaseURL = strings.Replace(database, "yuanzhen:", "yuanzhen:wrong", 1) }},
		{"YUANZHEN_NATS_URL", func(o *app.Options) { o.NATSURL = "http://127.0.0.1:4222" }},
		{"YUANZHEN_NATS_URL", func(o *app.Options) { o.NATSURL = "nats://127.0.0.1:1" }},
		{"YUANZHEN_S3_ENDPOINT", func(o *app.Options) { o.S3Endpoint = "ftp://store" }},
		{"YUANZHEN_S3_SECRET_KEY", func(o *app.Options) { o.S3Endpoint, o.S3AccessKey = "http://127.0.0.1:1", "a" }},
		{"YUANZHEN_S3_ENDPOINT", func(o *app.Options) {
			o.S3Endpoint, o.S3AccessKey, o.S3SecretKey, o.S3Bucket = "http://127.0.0.1:1", "a", "b", "c"
		}},
		{"MINIO_BIN", func(o *app.Options) { o.Store, o.MinIOBin = "minio", filepath.Join(folder, "no-minio") }},
		{"YUANZHEN_MASTER_KEY", func(o *app.Options) { o.MasterKey = "short" }},
		{"YUANZHEN_TURN_SECRET", func(o *app.Options) { o.TURNURL = "turn:127.0.0.1:3478" }},
		{"YUANZHEN_MEDIA_UDP", func(o *app.Options) { o.MediaUDP = "7000" }},
		{"YUANZHEN_MEDIA_UDP", func(o *app.Options) { o.MediaUDP = "host.example.org:7000" }},
		{"YUANZHEN_MEDIA_TCP", func(o *app.Options) { o.MediaTCP = taken.Addr().String() }},
		{"YUANZHEN_MEDIA_IPS", func(o *app.Options) { o.MediaIPs = []string{"nowhere"} }},
		{"YUANZHEN_ROLES", func(o *app.Options) { o.Roles = []string{"api", "medium"} }},
		{"YUANZHEN_NATS_URL", func(o *app.Options) { o.Roles = []string{"api"} }},
		{"YUANZHEN_BENCH_SECRET", func(o *app.Options) { o.Listen, o.BenchSecret = "0.0.0.0:0", "s" }},
		{"YUANZHEN_BENCH_SECRET", func(o *app.Options) { o.Public, o.BenchSecret = "https://visit.example.org", "s" }},
		{"YUANZHEN_BENCH_SECRET", func(o *app.Options) {
			o.Roles, o.NATSURL, o.BenchSecret = []string{"worker"}, "nats://127.0.0.1:1", "s"
		}},
		{"YUANZHEN_POLICIES", func(o *app.Options) { o.PolicyDir = policies }},
		{"YUANZHEN_POLICIES", func(o *app.Options) { o.PolicyDir = filepath.Join(folder, "nothing") }},
		{"YUANZHEN_S3_ENDPOINT", func(o *app.Options) { o.Demo = false }}, // production needs an outside store
		{"YUANZHEN_SMS_URL", func(o *app.Options) { o.SMSURL = "localhost" }},
		{"YUANZHEN_REALNAME_URL", func(o *app.Options) { o.RealNameURL = "file:///etc/passwd" }},
		{"YUANZHEN_CA_ROOT", func(o *app.Options) { o.CAURL = "https://127.0.0.1:1/ca" }},
		{"YUANZHEN_CA_ROOT", func(o *app.Options) { o.CAURL, o.CARoot = "https://127.0.0.1:1/ca", aFile }},
	} {
		o := app.Options{Listen: "127.0.0.1:0", Data: filepath.Join(folder, "data"), DatabaseURL: database, Log: "warn", Demo: true}
		c.alter(&o)
		start := time.Now()
		a, err := app.New(t.Context(), &o)
		if err == nil {
			t.Errorf("%s: started", c.setting)
			a.Stop(t.Context())
		} else if !strings.Contains(err.Error(), c.setting) {
			t.Errorf("%s is not named: %v", c.setting, err)
		} else if strings.Contains(err.Error(), "wrong") && strings.Contains(err.Error(), "yuanzhen:") {
			t.Errorf("%s: the message tells a password: %v", c.setting, err)
		}
		if took := time.Since(start); took > 12*time.Second {
			t.Errorf("%s: said after %v", c.setting, took)
		} else if took > time.Second {
			t.Logf("%s: said after %v", c.setting, took)
		}
		if err := os.Chdir(here); err != nil {
			t.Fatal(err)
		}
	}
	goleak.VerifyNone(t, before)
}
