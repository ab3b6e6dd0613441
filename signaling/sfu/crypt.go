package sfu

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// crypt encrypts or decrypts the packets of one direction of one link. AES-GCM (RFC 7714) is done here: srtp.Context parses each header
// anew, looks each SSRC up in maps to know its roll-over count and allocates for each packet received, which together costs as much
// as the cipher; the shard knows all that already. RTCP and the old profile are left to it.
type crypt struct {
	*srtp.Context // RTCP, and RTP when aead is nil
	aead          cipher.AEAD
	salt          [gcmNonce]byte
	nonce         [gcmNonce]byte // room to work in
	header        rtp.Header     // likewise, of srtp
}

const (
	gcmNonce = 12
	gcmTag   = 16
)

// newCrypt takes the master key and salt of a direction.
func newCrypt(key, salt []byte, profile srtp.ProtectionProfile) (*crypt, error) {
	context, err := srtp.CreateContext(key, salt, profile, srtp.SRTPNoReplayProtection(), srtp.SRTCPReplayProtection(replayWindow)) // for RTP see replays
	if err != nil {
		return nil, fmt.Errorf("SRTP keys: %w", err)
	}
	c := &crypt{Context: context}
	if profile != srtp.ProtectionProfileAeadAes128Gcm && profile != srtp.ProtectionProfileAeadAes256Gcm {
		return c, nil
	}
	const encryption, salting = 0, 2 // labels, RFC 3711 §4.3.2
	session, err := derive(key, salt, encryption, len(key))
	if err != nil {
		return nil, fmt.Errorf("SRTP keys: %w", err)
	}
	sessionSalt, err := derive(key, salt, salting, gcmNonce)
	if err != nil {
		return nil, fmt.Errorf("SRTP keys: %w", err)
	}
	copy(c.salt[:], sessionSalt)
	block, err := aes.NewCipher(session)
	if err != nil {
		return nil, fmt.Errorf("SRTP keys: %w", err)
	}
	if c.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("SRTP keys: %w", err)
	}
	return c, nil
}

// derive makes n bytes of a session key by AES in counter mode (RFC 3711 §4.3.1 and §4.3.3, RFC 7714 §11), with a key
// derivation rate of 0. Its counter starts with the master salt, in which the label is the byte before the last six of 14.
func derive(key, salt []byte, label byte, n int) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	var counter [aes.BlockSize]byte
	copy(counter[:], salt)
	counter[7] ^= label
	out := make([]byte, n)
	cipher.NewCTR(block, counter[:]).XORKeyStream(out, out)
	return out, nil
}

// iv is §8.1 of RFC 7714: SSRC, roll-over count and sequence number, mixed with the salt. An extended number counts from firstNumber.
func (c *crypt) iv(ssrc uint32, number uint64) []byte {
	clear(c.nonce[:2])
	binary.BigEndian.PutUint32(c.nonce[2:], ssrc)
	binary.BigEndian.PutUint32(c.nonce[6:], uint32((number-firstNumber)>>16))
	binary.BigEndian.PutUint16(c.nonce[10:], uint16(number))
	for i := range c.nonce {
		c.nonce[i] ^= c.salt[i]
	}
	return c.nonce[:]
}

// open decrypts a packet into dst, which is empty and has room for it; header is the header's length.
func (c *crypt) open(dst, packet []byte, header int, ssrc uint32, number uint64) ([]byte, error) {
	if c.aead == nil {
		return c.DecryptRTP(dst, packet, &c.header)
	}
	if len(packet) < header+gcmTag {
		return nil, srtp.ErrFailedToVerifyAuthTag
	}
	dst = append(dst, packet[:header]...)
	plain, err := c.aead.Open(dst[header:], c.iv(ssrc, number), packet[header:], packet[:header])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", srtp.ErrFailedToVerifyAuthTag, err)
	}
	return dst[:header+len(plain)], nil
}

// seal encrypts a packet in place; there is room for the tag behind it.
func (c *crypt) seal(packet []byte, header int, ssrc uint32, number uint64) ([]byte, error) {
	if c.aead == nil {
		return c.EncryptRTP(packet, packet, &c.header)
	}
	sealed := c.aead.Seal(packet[header:header], c.iv(ssrc, number), packet[header:], packet[:header])
	return packet[:header+len(sealed)], nil
}
