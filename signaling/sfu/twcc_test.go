package sfu

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"pgregory.net/rapid"
)

// What a report says, read by another's reader, is what has arrived and when.
func TestAReportSaysWhatArrived(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a arrivals
		number := uint64(rapid.IntRange(0, 65535).Draw(t, "first"))
		now := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "start"))
		sent := map[uint64]time.Duration{}
		told := map[uint64]bool{}
		check := func() {
			for a.due(time.Second) {
				b := a.report(nil, 1, 2)
				if b == nil {
					return
				}
				var fb rtcp.TransportLayerCC
				if err := fb.Unmarshal(b); err != nil {
					t.Fatalf("% x: %v", b, err)
				}
				if len(b) > maxPacket-100 {
					t.Fatalf("report of %d bytes", len(b))
				}
				at, i, n := time.Duration(fb.ReferenceTime)*referenceUnit, 0, uint64(0)
				base := number - uint64(uint16(number)-fb.BaseSequenceNumber)
				symbol := func(s uint16) {
					if n >= uint64(fb.PacketStatusCount) {
						return
					}
					want, came := sent[base+n]
					if (s != 0) != came {
						t.Fatalf("%d: symbol %d, came %v", base+n, s, came)
					}
					if s != 0 {
						at += time.Duration(fb.RecvDeltas[i].Delta) * time.Microsecond
						i++
						if d := want - at; d < 0 || d >= deltaUnit {
							t.Fatalf("%d: came at %v, told %v", base+n, want, at)
						}
						told[base+n] = true
					}
					n++
				}
				for _, c := range fb.PacketChunks {
					switch c := c.(type) {
					case *rtcp.RunLengthChunk:
						for range c.RunLength {
							symbol(c.PacketStatusSymbol)
						}
					case *rtcp.StatusVectorChunk:
						for _, s := range c.SymbolList {
							symbol(s)
						}
					}
				}
				if n != uint64(fb.PacketStatusCount) {
					t.Fatalf("%d symbols for %d packets", n, fb.PacketStatusCount)
				}
			}
		}
		for range rapid.IntRange(1, 300).Draw(t, "packets") {
			number += uint64(rapid.SampledFrom([]int{1, 1, 1, 1, 1, 1, 2, 3, 30}).Draw(t, "step"))
			now += time.Duration(rapid.SampledFrom([]int{0, 1, 5, 20, 70, 300}).Draw(t, "ms")) * time.Millisecond
			a.record(uint16(number), now)
			sent[number] = now
			if rapid.IntRange(0, 20).Draw(t, "report") == 0 {
				check()
			}
		}
		check()
		for n := range sent {
			if !told[n] {
				t.Fatalf("%d was never told of", n)
			}
		}
	})
}
