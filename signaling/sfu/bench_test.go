package sfu

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/pion/rtp"
)

// BenchmarkForward is the whole way of a packet from the socket's buffer to the kernel: decrypted, kept, encrypted for each
// subscriber, sent. What the publisher does to make it is not counted. Allocations are per forwarded packet.
func BenchmarkForward(b *testing.B) {
	for _, fan := range []int{1, 100} {
		b.Run(fmt.Sprintf("fan-out %d", fan), func(b *testing.B) {
			r := newRig(b)
			a := r.connect(gcm)
			a.publish()
			for range fan {
				r.connect(gcm).subscribe(a.track(Camera), 5000, true)
			}
			const batch = 64
			packets := make([][]byte, batch)
			for i := range packets {
				packets[i] = make([]byte, 0, maxPacket)
			}
			p := vp8(0, 0, true, true, true)
			p.Payload = append(p.Payload, make([]byte, 1000)...)
			if err := p.SetExtension(rigTWCC, []byte{0, 0}); err != nil {
				b.Fatal(err)
			}
			plain, err := p.Marshal()
			if err != nil {
				b.Fatal(err)
			}
			n, header := uint16(0), rtp.Header{}
			seal := func() {
				for i := range packets {
					n++
					binary.BigEndian.PutUint16(plain[2:], n)
					binary.BigEndian.PutUint32(plain[4:], uint32(n)*3000)
					binary.BigEndian.PutUint16(plain[17:], n)
					if packets[i], err = a.out.EncryptRTP(packets[i][:0], plain, &header); err != nil {
						b.Fatal(err)
					}
				}
			}
			forward := func() {
				r.mu.Lock()
				r.now += floodWindow
				for _, raw := range packets {
					a.link.receive(raw)
				}
				r.emit()
				r.mu.Unlock()
			}
			for range 32 {
				seal()
				forward()
			}
			sent := r.counts.packetsOut
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batch * fan {
				b.StopTimer()
				seal()
				b.StartTimer()
				forward()
			}
			b.StopTimer()
			if r.counts.packetsOut-sent < uint64(b.N) {
				b.Fatalf("%d of %d went out", r.counts.packetsOut-sent, b.N)
			}
		})
	}
}
