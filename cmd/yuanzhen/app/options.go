// Package app puts the house together: it starts the engines nobody named an outside
// one for, wires every room to its neighbours, serves, and stops in reverse order.
package app

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options are all settings. Each can be given as a flag or by its variable in the
// environment; the help text is the reference.
type Options struct {
	Listen string `default:"127.0.0.1:8080" env:"YUANZHEN_LISTEN" placeholder:"HOST:PORT" help:"Address of pages and API; port 0 picks a free one."`
	Data   string `default:"var" env:"YUANZHEN_DATA" placeholder:"DIR" help:"Data folder: embedded database, objects, master key. Never deleted."`
	Public string `env:"YUANZHEN_PUBLIC_URL" placeholder:"URL" help:"Address that browsers use, when a proxy stands before us (https://visit.example.org)."`

	Roles []string `default:"api,media,worker" env:"YUANZHEN_ROLES" sep:"," placeholder:"ROLE" help:"What this process does: api (pages and API), media (rooms), worker (jobs). A process of media alone needs no database, no store and no master key."`

	DatabaseURL string `env:"YUANZHEN_DATABASE_URL" placeholder:"URL" help:"Outside PostgreSQL 15 to 18 (postgres://…). Default: a private cluster in the data folder."`
	NATSURL     string `name:"nats-url" env:"YUANZHEN_NATS_URL" placeholder:"URL" help:"Outside NATS (nats://…). Default: a bus inside the process."`

	Store       string `default:"gateway" enum:"gateway,minio" env:"YUANZHEN_STORE" help:"Embedded object store: a folder, through the S3 gateway in the process, or a MinIO server as a child (gateway, minio)."`
	MinIOBin    string `name:"minio-bin" default:"bin/minio" env:"MINIO_BIN" placeholder:"FILE" help:"MinIO server for --store minio; 'make minio' builds it."`
	S3Endpoint  string `name:"s3-endpoint" env:"YUANZHEN_S3_ENDPOINT" placeholder:"URL" help:"Outside S3 store (https://…). Default: the embedded one."`
	S3AccessKey string `name:"s3-access-key" env:"YUANZHEN_S3_ACCESS_KEY" help:"Access key of the outside S3 store."`
	S3SecretKey string `name:"s3-secret-key" env:"YUANZHEN_S3_SECRET_KEY" help:"Secret key of the outside S3 store."`
	S3Region    string `name:"s3-region" default:"us-east-1" env:"YUANZHEN_S3_REGION" help:"Region of the outside S3 store."`
	S3Bucket    string `name:"s3-bucket" default:"yuanzhen" env:"YUANZHEN_S3_BUCKET" help:"Bucket; made when it is not there."`

	ImageQuota int64 `name:"image-quota" default:"2000" env:"YUANZHEN_IMAGE_QUOTA" placeholder:"GB" help:"Gigabytes of images that a hospital may hold where its administrator has set no other limit; 0 is without limit."`

	MediaUDP    string   `name:"media-udp" env:"YUANZHEN_MEDIA_UDP" placeholder:"HOST:PORT" help:"The one UDP port of audio and video. Default: a free port on the host of --listen."`
	MediaShards int      `name:"media-shards" default:"1" env:"YUANZHEN_MEDIA_SHARDS" help:"UDP sockets for audio and video, on ports from --media-udp upwards: one for each core that media shall have. Each serves whole rooms."`
	MediaTCP    string   `name:"media-tcp" env:"YUANZHEN_MEDIA_TCP" placeholder:"HOST:PORT" help:"ICE over TCP, for networks without UDP. Default: a free port on the host of --listen."`
	MediaIPs    []string `name:"media-ip" env:"YUANZHEN_MEDIA_IPS" sep:"," placeholder:"IP" help:"Addresses that clients reach the media ports at, behind NAT."`
	MediaURL    string   `name:"media-url" env:"YUANZHEN_MEDIA_URL" placeholder:"URL" help:"Address at which browsers reach the rooms of this process, when several processes share a bus: below the site's own name (https://m1.visit.example.org). Default: YUANZHEN_PUBLIC_URL."`
	TURNURL     string   `name:"turn-url" env:"YUANZHEN_TURN_URL" placeholder:"URL" help:"Outside TURN server (turn:host:port, over UDP and TCP; over TLS turns:host:port, with a comma between); needs --turn-secret. Default: the embedded one."`
	TURNUDP     string   `name:"turn-udp" env:"YUANZHEN_TURN_UDP" placeholder:"HOST:PORT" help:"The embedded TURN server over UDP. Default: a free port."`
	TURNTCP     string   `name:"turn-tcp" env:"YUANZHEN_TURN_TCP" placeholder:"HOST:PORT" help:"The same over TCP. Default: a free port."`
	TURNTLS     string   `name:"turn-tls" env:"YUANZHEN_TURN_TLS" placeholder:"HOST:PORT" help:"The same over TLS, for networks that let only HTTPS through: best at port 443 of an address of its own. Default: a free port."`
	TURNHost    string   `name:"turn-host" env:"YUANZHEN_TURN_HOST" placeholder:"NAME" help:"Name by which clients reach the embedded TURN server, as in its certificate. Default: its address."`
	TURNCert    string   `name:"turn-cert" env:"YUANZHEN_TURN_CERT" placeholder:"FILE" help:"Certificate chain of the TURN server over TLS (PEM). Default: a self-made one, which browsers refuse."`
	TURNKey     string   `name:"turn-key" env:"YUANZHEN_TURN_KEY" placeholder:"FILE" help:"Its private key (PEM)."`
	TURNSecret  string   `name:"turn-secret" env:"YUANZHEN_TURN_SECRET" help:"Shared secret of the outside TURN server (REST scheme, coturn's use-auth-secret)."`

	BenchSecret string `name:"bench-secret" env:"YUANZHEN_BENCH_SECRET" help:"For measuring: this bearer token opens any seat over WHIP and WHEP. Refused unless YUANZHEN_LISTEN is a loopback address and YUANZHEN_PUBLIC_URL is empty."`

	MasterKey    string   `env:"YUANZHEN_MASTER_KEY" help:"Master key: 32 bytes in base64. Default: a file in the data folder, made at the first run."`
	SMSURL       string   `name:"sms-url" env:"YUANZHEN_SMS_URL" placeholder:"URL" help:"Gateway for text messages: we POST {phone, body} as JSON. Default in demo: a simulator."`
	RealNameURL  string   `name:"realname-url" env:"YUANZHEN_REALNAME_URL" placeholder:"URL" help:"Gateway for real-name checks: we POST {name, id_no}, it answers {matches}. Default in demo: a simulator."`
	CAURL        string   `name:"ca-url" env:"YUANZHEN_CA_URL" placeholder:"URL" help:"Gateway of the certification authority: we POST {certify, from, until} with a PKCS #10 request (base64 of DER), it answers {certificate}; {revoke, reason} ends one. Default in demo: a simulator."`
	CARoot       string   `name:"ca-root" env:"YUANZHEN_CA_ROOT" placeholder:"FILE" help:"Certificate of the authority under which its certificates stand (PEM); goes with --ca-url."`
	SigningAlg   string   `name:"signing-alg" default:"SM2" enum:"SM2,Ed25519" env:"YUANZHEN_SIGNING_ALG" help:"Algorithm of signing keys made from now on (SM2, Ed25519). What was signed with the other one still verifies."`
	PolicyDir    string   `name:"policies" env:"YUANZHEN_POLICIES" placeholder:"DIR" help:"First-visit policies to take in at the start (YAML). In force only with two approvers and all that EXC-07 asks; else they wait as drafts."`
	RuleDirs     []string `name:"rules" env:"YUANZHEN_RULES" sep:"," placeholder:"DIR" help:"Local rule packs over the national rules, a folder each (YAML)."`
	FormularyDir string   `name:"formulary" env:"YUANZHEN_FORMULARY" placeholder:"DIR" help:"Drug knowledge to check prescriptions with, a folder made by 'yuanzhen prescribe import'. Default: what ships with the program."`
	Log          string   `default:"info" enum:"debug,info,warn" env:"YUANZHEN_LOG" help:"Log level (debug, info, warn)."`

	Demo    bool      `kong:"-"` // demo cast and simulators; never in production
	Version string    `kong:"-"`
	Out     io.Writer `kong:"-"` // progress of long steps
}

// Check finds settings that can't work and names them.
func (o *Options) Check() error {
	for _, s := range []struct{ setting, value string }{
		{"YUANZHEN_LISTEN", o.Listen}, {"YUANZHEN_MEDIA_UDP", o.MediaUDP}, {"YUANZHEN_MEDIA_TCP", o.MediaTCP},
		{"YUANZHEN_TURN_UDP", o.TURNUDP}, {"YUANZHEN_TURN_TCP", o.TURNTCP}, {"YUANZHEN_TURN_TLS", o.TURNTLS}} {
		if s.value == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(s.value); err != nil {
			return fmt.Errorf("%s %q: want host:port (such as 127.0.0.1:8080)", s.setting, s.value)
		}
	}
	for _, s := range []struct{ setting, value, schemes string }{
		{"YUANZHEN_DATABASE_URL", o.DatabaseURL, "postgres postgresql"}, {"YUANZHEN_NATS_URL", o.NATSURL, "nats tls"},
		{"YUANZHEN_S3_ENDPOINT", o.S3Endpoint, "http https"}, {"YUANZHEN_PUBLIC_URL", o.Public, "http https"}, {"YUANZHEN_MEDIA_URL", o.MediaURL, "http https"},
		{"YUANZHEN_SMS_URL", o.SMSURL, "http https"}, {"YUANZHEN_REALNAME_URL", o.RealNameURL, "http https"}, {"YUANZHEN_CA_URL", o.CAURL, "http https"}, {"YUANZHEN_TURN_URL", o.TURNURL, "turn turns"}} {
		if s.value == "" {
			continue
		}
		u, err := url.Parse(s.value)
		if err != nil || !strings.Contains(" "+s.schemes+" ", " "+u.Scheme+" ") {
			return fmt.Errorf("%s: want an address of scheme %s", s.setting, strings.ReplaceAll(s.schemes, " ", " or "))
		}
	}
	if (o.S3Endpoint != "") != (o.S3AccessKey != "" && o.S3SecretKey != "") {
		return fmt.Errorf("YUANZHEN_S3_ENDPOINT, YUANZHEN_S3_ACCESS_KEY and YUANZHEN_S3_SECRET_KEY belong together: give all three or none")
	}
	if (o.CAURL != "") != (o.CARoot != "") {
		return fmt.Errorf("YUANZHEN_CA_URL and YUANZHEN_CA_ROOT belong together: give both or none")
	}
	if (o.TURNURL != "") != (o.TURNSecret != "") {
		return fmt.Errorf("YUANZHEN_TURN_URL and YUANZHEN_TURN_SECRET belong together: give both or none")
	}
	if (o.TURNCert != "") != (o.TURNKey != "") {
		return fmt.Errorf("YUANZHEN_TURN_CERT and YUANZHEN_TURN_KEY belong together: give both or none")
	}
	if o.ImageQuota < 0 || o.ImageQuota > 1_000_000 {
		return fmt.Errorf("YUANZHEN_IMAGE_QUOTA %d: want gigabytes, at most 1000000; 0 is without limit", o.ImageQuota)
	}
	if o.MediaShards < 0 || o.MediaShards > 64 {
		return fmt.Errorf("YUANZHEN_MEDIA_SHARDS %d: want 1 to 64, one for each core that media shall have", o.MediaShards)
	}
	if err := o.checkRoles(); err != nil {
		return err
	}
	if !o.Demo {
		if err := o.checkProduction(); err != nil {
			return err
		}
	}
	// The embedded object store changes the working folder: from here on every path is absolute.
	for _, path := range []*string{&o.Data, &o.MinIOBin, &o.PolicyDir, &o.FormularyDir, &o.CARoot, &o.TURNCert, &o.TURNKey} {
		if *path == "" {
			continue
		}
		full, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = full
	}
	if o.mediaAlone() {
		return nil // it keeps nothing
	}
	for i, dir := range o.RuleDirs {
		full, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		o.RuleDirs[i] = full
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return fmt.Errorf("YUANZHEN_DATA: %w", err)
	}
	return nil
}

// has says whether this process has a role; without a choice it has all.
func (o *Options) has(role string) bool { return len(o.Roles) == 0 || slices.Contains(o.Roles, role) }

// mediaAlone says that this process has no role but media.
func (o *Options) mediaAlone() bool { return !o.has("api") && !o.has("worker") }

func (o *Options) checkRoles() error {
	for _, role := range o.Roles {
		if !slices.Contains([]string{"api", "media", "worker"}, role) {
			return fmt.Errorf("YUANZHEN_ROLES %q: want api, media, worker, or several of them with commas", role)
		}
	}
	if !o.has("media") && o.NATSURL == "" {
		return fmt.Errorf("YUANZHEN_NATS_URL: without media, this process needs the bus that those with the role media are on")
	}
	if o.BenchSecret == "" {
		return nil
	}
	if !o.has("media") {
		return fmt.Errorf("YUANZHEN_BENCH_SECRET needs the role media in this process")
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if ip, parseErr := netip.ParseAddr(host); err != nil || parseErr != nil || !ip.IsLoopback() || o.Public != "" {
		return fmt.Errorf("YUANZHEN_BENCH_SECRET opens every room: it is refused unless YUANZHEN_LISTEN is a loopback address (127.0.0.1:8080) and YUANZHEN_PUBLIC_URL is empty")
	}
	return nil
}

// checkProduction refuses what only a demo may stand on.
func (o *Options) checkProduction() error {
	type need struct{ setting, value, why string }
	needs := []need{
		{"YUANZHEN_DATABASE_URL", o.DatabaseURL, "the embedded cluster has no replica and no backup"},
		{"YUANZHEN_S3_ENDPOINT", o.S3Endpoint, "the embedded store has no replica and no backup"},
		{"YUANZHEN_MASTER_KEY", o.MasterKey, "the key must not lie beside the data"},
		{"YUANZHEN_SMS_URL", o.SMSURL, "the text-message provider is a simulator"},
		{"YUANZHEN_REALNAME_URL", o.RealNameURL, "the real-name check is a simulator"},
		{"YUANZHEN_CA_URL", o.CAURL, "the certification authority is a simulator, its certificates have no legal force"},
		{"YUANZHEN_PUBLIC_URL", o.Public, "browsers give camera and microphone to https pages only"},
	}
	switch {
	case o.BenchSecret != "" && o.mediaAlone():
		return nil // a trial on loopback, which checkRoles has seen to
	case o.mediaAlone():
		needs = []need{
			{"YUANZHEN_NATS_URL", o.NATSURL, "rooms are given to this process over the bus"},
			{"YUANZHEN_PUBLIC_URL", o.Public, "browsers must reach this process"},
		}
	}
	for _, s := range needs {
		if s.value == "" {
			return fmt.Errorf("production refuses to start without %s: %s (for a trial use 'yuanzhen dev')", s.setting, s.why)
		}
	}
	if !strings.HasPrefix(o.Public, "https:") {
		return fmt.Errorf("YUANZHEN_PUBLIC_URL must be https: browsers give camera and microphone to https pages only")
	}
	return nil
}

// say reports progress of a long step.
func (o *Options) say(format string, args ...any) {
	if o.Out != nil {
		fmt.Fprintf(o.Out, format+"\n", args...)
	}
}
