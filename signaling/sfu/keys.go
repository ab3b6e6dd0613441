package sfu

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"
)

// cipherSuite is the one of DTLS 1.2 that every browser must have (RFC 8827 §6.5). Its hash is SHA-256, which keyTap counts on.
const cipherSuite = dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256

// keyTap learns the SRTP keys of one DTLS 1.2 handshake. pion's PeerConnection has no exporter (RFC 5705), so the exporter is
// computed here from both randoms and the master secret. The key log gives two of them; the server's random stands in its hello,
// which is a hook's where it is ours and a packet's where it is not.
type keyTap struct {
	mu      sync.Mutex // hooks are called by the handshake, heard by who reads the line, crypts by who started it
	client  []byte
	server  [handshake.RandomLength]byte
	master  []byte
	profile srtp.ProtectionProfile // 0 until there was a hello
	serving bool                   // the hello was ours
}

var errNoKeys = errors.New("the DTLS handshake gave no SRTP keys")

// tap makes the settings tell the keys of the one connection they are for.
func (k *keyTap) tap(s *webrtc.SettingEngine) {
	s.SetDTLSCipherSuites(cipherSuite)
	s.SetDTLSKeyLogWriter(k)
	s.SetDTLSServerHelloMessageHook(func(hello handshake.MessageServerHello) handshake.Message {
		k.hello(&hello, true)
		return &hello
	})
}

// heard looks for a server's hello in a datagram of the line: the first message of a record (RFC 6347 §4.1, §4.2.2). Who forges
// one makes a line that carries nothing, as with any other forged packet of a handshake.
func (k *keyTap) heard(b []byte) {
	const head = recordlayer.FixedHeaderSize + handshake.HeaderLength
	if len(b) < head || protocol.ContentType(b[0]) != protocol.ContentTypeHandshake || handshake.Type(b[recordlayer.FixedHeaderSize]) != handshake.TypeServerHello {
		return
	}
	var h handshake.Header
	if err := h.Unmarshal(b[recordlayer.FixedHeaderSize:]); err != nil || h.FragmentLength != h.Length || int(h.Length) > len(b)-head {
		return // in pieces: it is some hundred bytes, and nobody sends it so
	}
	var m handshake.MessageServerHello
	if err := m.Unmarshal(b[head : head+int(h.Length)]); err != nil {
		return // pion says so
	}
	k.hello(&m, false)
}

// hello takes the server's random and the profile it has chosen: ours, or else the first that was heard, for it may be sent again.
func (k *keyTap) hello(m *handshake.MessageServerHello, ours bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.profile != 0 && !ours {
		return
	}
	k.server, k.serving = m.Random.MarshalFixed(), ours
	for _, e := range m.Extensions {
		if use, ok := e.(*extension.UseSRTP); ok && len(use.ProtectionProfiles) == 1 {
			k.profile = srtp.ProtectionProfile(use.ProtectionProfiles[0]) // both are the numbers of RFC 5764 §4.1.2
		}
	}
}

// Write takes a line of the NSS key log: "CLIENT_RANDOM", the client's random and the master secret.
func (k *keyTap) Write(line []byte) (int, error) {
	words := bytes.Fields(line)
	if len(words) != 3 || string(words[0]) != "CLIENT_RANDOM" {
		return len(line), nil
	}
	client, err := hex.DecodeString(string(words[1]))
	if err != nil {
		return 0, err
	}
	master, err := hex.DecodeString(string(words[2]))
	if err != nil {
		return 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.client, k.master = client, master
	return len(line), nil
}

// export computes keying material as State.ExportKeyingMaterial does (RFC 5705 §4, without context).
func (k *keyTap) export(label string, length int) ([]byte, error) {
	seed := append(append([]byte(label), k.client...), k.server[:]...)
	return prf.PHash(k.master, seed, length, sha256.New)
}

// crypts gives what decrypts the other end's packets and what encrypts ours (RFC 5764 §4.2), and forgets the secret.
// It may be called once the handshake is complete.
func (k *keyTap) crypts() (in, out *crypt, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client == nil || k.profile == 0 {
		return nil, nil, errNoKeys
	}
	keyLen, err := k.profile.KeyLen()
	if err != nil {
		return nil, nil, fmt.Errorf("SRTP keys: %w", err)
	}
	saltLen, err := k.profile.SaltLen()
	if err != nil {
		return nil, nil, fmt.Errorf("SRTP keys: %w", err)
	}
	material, err := k.export("EXTRACTOR-dtls_srtp", 2*(keyLen+saltLen))
	if err != nil {
		return nil, nil, fmt.Errorf("SRTP keys: %w", err)
	}
	clear(k.master)
	k.client, k.master = nil, nil
	client, err := newCrypt(material[:keyLen], material[2*keyLen:2*keyLen+saltLen], k.profile)
	if err != nil {
		return nil, nil, err
	}
	server, err := newCrypt(material[keyLen:2*keyLen], material[2*keyLen+saltLen:], k.profile)
	if err != nil {
		return nil, nil, err
	}
	if k.serving {
		return client, server, nil
	}
	return server, client, nil
}
