package sfu

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// What the tap derives is what the library's own exporter gives at the other end, and packets sealed there open here.
func TestTheTapKnowsTheKeysOfTheHandshake(t *testing.T) {
	for _, profile := range []dtls.SRTPProtectionProfile{
		dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
	} {
		t.Run(srtp.ProtectionProfile(profile).String(), func(t *testing.T) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			cert, err := selfsign.SelfSign(key)
			if err != nil {
				t.Fatal(err)
			}
			near, far := pipe(t)
			k := &keyTap{}
			server, err := dtls.ServerWithOptions(near, far.LocalAddr(),
				dtls.WithCertificates(cert), dtls.WithSRTPProtectionProfiles(profile), dtls.WithCipherSuites(cipherSuite), dtls.WithKeyLogWriter(k),
				dtls.WithServerHelloMessageHook(func(m handshake.MessageServerHello) handshake.Message {
					k.hello(&m)
					return &m
				}))
			if err != nil {
				t.Fatal(err)
			}
			client, err := dtls.ClientWithOptions(far, near.LocalAddr(),
				dtls.WithCertificates([]tls.Certificate{cert}...), dtls.WithSRTPProtectionProfiles(profile), dtls.WithInsecureSkipVerify(true))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- server.HandshakeContext(ctx) }()
			if err := client.HandshakeContext(ctx); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			defer server.Close()

			state, ok := client.ConnectionState()
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
			in, out, err := k.crypts()
			if err != nil {
				t.Fatal(err)
			}
			c := &srtp.Config{Profile: srtp.ProtectionProfile(profile)}
			if err := c.ExtractSessionKeysFromDTLS(&state, true); err != nil {
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
		})
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
