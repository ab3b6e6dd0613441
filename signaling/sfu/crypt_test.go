package sfu

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"pgregory.net/rapid"
)

// What we seal another implementation opens and the other way round, with every profile, over roll-overs, whatever the header.
func TestWeSealAndOpenAsSRTPDoes(t *testing.T) {
	for _, profile := range []srtp.ProtectionProfile{
		srtp.ProtectionProfileAeadAes128Gcm, srtp.ProtectionProfileAeadAes256Gcm, srtp.ProtectionProfileAes128CmHmacSha1_80,
	} {
		t.Run(profile.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				keyLen, _ := profile.KeyLen()
				saltLen, _ := profile.SaltLen()
				key := rapid.SliceOfN(rapid.Byte(), keyLen, keyLen).Draw(t, "key")
				salt := rapid.SliceOfN(rapid.Byte(), saltLen, saltLen).Draw(t, "salt")
				ours, err := newCrypt(key, salt, profile)
				if err != nil {
					t.Fatal(err)
				}
				seals, err := srtp.CreateContext(key, salt, profile)
				if err != nil {
					t.Fatal(err)
				}
				opens, err := srtp.CreateContext(key, salt, profile)
				if err != nil {
					t.Fatal(err)
				}
				number := firstNumber + rapid.Uint64Range(0, 1<<15).Draw(t, "first")
				for range rapid.IntRange(1, 8).Draw(t, "packets") {
					p := rtp.Packet{
						Header: rtp.Header{
							Version: 2, SSRC: 7, SequenceNumber: uint16(number), Timestamp: rapid.Uint32().Draw(t, "timestamp"),
							CSRC: rapid.SliceOfN(rapid.Uint32(), 0, 3).Draw(t, "csrc"),
						},
						Payload: rapid.SliceOfN(rapid.Byte(), 0, 1200).Draw(t, "payload"),
					}
					if x := rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "extension"); len(x) > 0 {
						if err := p.SetExtension(3, x); err != nil {
							t.Fatal(err)
						}
					}
					plain, err := p.Marshal()
					if err != nil {
						t.Fatal(err)
					}
					header := p.Header.MarshalSize()
					theirs, err := seals.EncryptRTP(nil, plain, nil)
					if err != nil {
						t.Fatal(err)
					}
					got, err := ours.open(make([]byte, 0, maxPacket), theirs, header, 7, number)
					if err != nil || !bytes.Equal(got, plain) {
						t.Fatalf("opened % x: %v", got, err)
					}
					if ours.aead != nil { // the other profile keeps its own count, which two directions must not share
						sealed, err := ours.seal(append(make([]byte, 0, maxDatagram), plain...), header, 7, number)
						if err != nil || !bytes.Equal(sealed, theirs) {
							t.Fatalf("sealed % x: %v", sealed, err)
						}
						if got, err := opens.DecryptRTP(nil, sealed, nil); err != nil || !bytes.Equal(got, plain) {
							t.Fatalf("they opened % x: %v", got, err)
						}
						theirs[rapid.IntRange(0, len(theirs)-1).Draw(t, "broken")] ^= 1
						if _, err := ours.open(make([]byte, 0, maxPacket), theirs, header, 7, number); err == nil {
							t.Fatal("a broken packet was opened")
						}
					}
					number += rapid.Uint64Range(1, 30000).Draw(t, "step")
				}
			})
		})
	}
}
