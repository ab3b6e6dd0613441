package sfu

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// What the tap derives is what the library's own exporter gives at the other end, and packets sealed there open here.
func TestTheTapKnowsTheKeysOfTheHandshake(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := selfsign.SelfSign(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []dtls.SRTPProtectionProfile{
		dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
	} {
		both := []dtls.Option{dtls.WithCertificates(cert), dtls.WithSRTPProtectionProfiles(profile)}
		tapped := func(k *keyTap) []dtls.Option {
			return append(both, dtls.WithCipherSuites(cipherSuite), dtls.WithKeyLogWriter(k))
		}
		t.Run(srtp.ProtectionProfile(profile).String()+", asked", func(t *testing.T) {
			near, far := pipe(t)
			k := &keyTap{}
			options := []dtls.ServerOption{dtls.WithServerHelloMessageHook(func(m handshake.MessageServerHello) handshake.Message {
				k.hello(&m, true)
				return &m
			})}
			for _, o := range tapped(k) {
				options = append(options, o)
			}
			server, err := dtls.ServerWithOptions(near, far.LocalAddr(), options...)
			if err != nil {
				t.Fatal(err)
			}
			client, err := dtls.ClientWithOptions(far, near.LocalAddr(), both[0], both[1], dtls.WithInsecureSkipVerify(true))
			if err != nil {
				t.Fatal(err)
			}
			sameKeys(t, k, server, client, profile, true)
		})
		t.Run(srtp.ProtectionProfile(profile).String()+", asking", func(t *testing.T) {
			near, far := pipe(t)
			k := &keyTap{}
			options := []dtls.ClientOption{dtls.WithInsecureSkipVerify(true)}
			for _, o := range tapped(k) {
				options = append(options, o)
			}
			client, err := dtls.ClientWithOptions(tappedConn{near, k}, far.LocalAddr(), options...)
			if err != nil {
				t.Fatal(err)
			}
			server, err := dtls.ServerWithOptions(far, near.LocalAddr(), both[0], both[1])
			if err != nil {
				t.Fatal(err)
			}
			sameKeys(t, k, client, server, profile, false)
		})
	}
}

type tappedConn struct {
	net.PacketConn
	keys *keyTap
}

func (c tappedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(b)
	c.keys.heard(b[:n])
	return n, from, err
}

// sameKeys lets two ends shake hands and compares what both know then.
func sameKeys(t *testing.T, k *keyTap, near, far *dtls.Conn, profile dtls.SRTPProtectionProfile, theyAsk bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- near.HandshakeContext(ctx) }()
	if err := far.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	defer near.Close()

	state, ok := far.ConnectionState()
	if !ok {
		t.Fatal("no state")
	}
	want, err := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 60)
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.export("EXTRACTOR-dtls_srtp", 60)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("% x, want % x", got, want)
	}
	forged := handshake.MessageServerHello{}
	forged.Extensions = []extension.Extension{&extension.UseSRTP{ProtectionProfiles: []dtls.SRTPProtectionProfile{profile}}}
	k.hello(&forged, false) // too late to change anything
	in, out, err := k.crypts()
	if err != nil {
		t.Fatal(err)
	}
	c := &srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := c.ExtractSessionKeysFromDTLS(&state, theyAsk); err != nil {
		t.Fatal(err)
	}
	theirs, err := srtp.CreateContext(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, c.Profile)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := srtp.CreateContext(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, c.Profile)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 5, SequenceNumber: 9}, Payload: []byte("sound")}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := theirs.EncryptRTP(nil, raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := in.open(make([]byte, 0, maxPacket), sealed, 12, 5, firstNumber+9); err != nil || !bytes.Equal(opened, raw) {
		t.Fatalf("% x: %v", opened, err)
	}
	if sealed, err = out.seal(append(make([]byte, 0, maxPacket), raw...), 12, 5, firstNumber+9); err != nil {
		t.Fatal(err)
	}
	if opened, err := ours.DecryptRTP(nil, sealed, nil); err != nil || !bytes.Equal(opened, raw) {
		t.Fatalf("% x: %v", opened, err)
	}
	if _, _, err := k.crypts(); err == nil {
		t.Fatal("the secret was not forgotten")
	}
}

// pipe is a pair of UDP sockets that speak to each other.
func pipe(t *testing.T) (a, b net.PacketConn) {
	t.Helper()
	var conns [2]net.PacketConn
	for i := range conns {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns[i] = c
	}
	return conns[0], conns[1]
}
