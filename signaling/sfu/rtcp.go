package sfu

import (
	"encoding/binary"
	"time"

	"yuanzhen/signaling/sfu/rate"
	"yuanzhen/signaling/sfu/rtpmap"
)

// ntpEpoch is how many seconds the epoch of NTP lies before that of Unix.
const ntpEpoch = 2208988800

// ntp is a moment as RTCP writes it: seconds since 1900 in 32.32 fixed point.
func (s *shard) ntp(now time.Duration) uint64 {
	return ntpSpan(time.Duration(s.engine.start.UnixNano())+now) + ntpEpoch<<32
}

func ntpSpan(d time.Duration) uint64 {
	return uint64(d/time.Second)<<32 | uint64(d%time.Second)<<32/uint64(time.Second)
}

// sendRTCP encrypts and sends a packet that was built elsewhere.
func (l *link) sendRTCP(b []byte) {
	s := l.shard
	out, err := l.out.EncryptRTCP(s.socket.next(), b, nil)
	if err == nil {
		l.transmit(out)
	}
}

// receiveRTCP reads a compound packet (RFC 3550 §6.1, RFC 5506).
func (l *link) receiveRTCP(b []byte) {
	s := l.shard
	if len(b) > maxPacket {
		s.counts.malformed++
		return
	}
	plain, err := l.in.DecryptRTCP(s.scratch[:0], b, nil)
	if err != nil {
		s.refuse(err)
		return
	}
	if !eachRTCP(plain, l.hear) {
		s.counts.malformed++
	}
}

// eachRTCP cuts a compound packet; it says whether it was well formed. Sub-packets before a broken one are heard.
func eachRTCP(b []byte, hear func(kind, format uint8, p []byte)) bool {
	for len(b) > 0 {
		if len(b) < 8 || b[0]>>6 != 2 {
			return false
		}
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size < 8 || size > len(b) {
			return false
		}
		hear(b[1], b[0]&0x1f, b[:size])
		b = b[size:]
	}
	return true
}

// hear takes one sub-packet; p is 8 bytes at least.
func (l *link) hear(kind, format uint8, p []byte) {
	switch kind {
	case 200: // sender report
		if len(p) >= 28 {
			l.hearSender(p)
			l.hearBlocks(p[28:], format)
		}
	case 201: // receiver report
		l.hearBlocks(p[8:], format)
	case 205:
		switch {
		case len(p) >= 12 && format == 1:
			l.hearNACK(p)
		case format == 15 && l.estimator != nil:
			if l.estimator.Feedback(p, l.shard.now) != nil {
				l.shard.counts.malformed++
			}
			l.climb()
		}
	case 206:
		l.hearPayload(format, p)
	}
}

func (l *link) hearSender(p []byte) {
	st := l.flows[binary.BigEndian.Uint32(p[4:])]
	if st == nil || st.layer == nil || st.repair {
		return
	}
	y := st.layer
	y.sender = rtpmap.Report{NTP: binary.BigEndian.Uint64(p[8:]), RTP: binary.BigEndian.Uint32(p[16:])}
	y.senderAt = l.shard.now
	// The least difference of clocks ever seen is that of the fastest packet: what is nearest to the difference itself.
	if skew := int64(l.shard.ntp(l.shard.now) - y.sender.NTP); !l.skewed || skew < l.skew {
		l.skew, l.skewed = skew, true
	}
}

// hearBlocks takes what a subscriber reports about our streams.
func (l *link) hearBlocks(p []byte, count uint8) {
	for range count {
		if len(p) < 24 {
			return
		}
		if d := l.down(binary.BigEndian.Uint32(p)); d != nil {
			last, delay := binary.BigEndian.Uint32(p[16:]), binary.BigEndian.Uint32(p[20:])
			if last != 0 && last == d.reportNTP {
				if rtt := l.shard.now - d.reported - time.Duration(delay)*time.Second/65536; rtt >= 0 {
					l.rtt = rtt
				}
			}
			d.reportedLoss = float64(p[4]) / 256
			if d.bound.twcc == 0 && l.estimator != nil {
				l.estimator.Report(d.reportedLoss, l.rtt)
			}
		}
		p = p[24:]
	}
}

func (l *link) hearNACK(p []byte) {
	d := l.down(binary.BigEndian.Uint32(p[8:]))
	if d == nil {
		return
	}
	for p = p[12:]; len(p) >= 4; p = p[4:] {
		pid, blp := binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
		d.repeat(pid)
		for i := uint16(0); blp != 0; i++ {
			if blp&1 != 0 {
				d.repeat(pid + i + 1)
			}
			blp >>= 1
		}
	}
}

// hearPayload takes requests for key frames: PLI (RFC 4585 §6.3.1) and FIR (RFC 5104 §4.3.1).
func (l *link) hearPayload(format uint8, p []byte) {
	if len(p) < 12 {
		return
	}
	switch format {
	case 1:
		l.hearKeyRequest(binary.BigEndian.Uint32(p[8:]))
	case 4:
		for p = p[12:]; len(p) >= 8; p = p[8:] {
			l.hearKeyRequest(binary.BigEndian.Uint32(p))
		}
	case 15: // REMB, draft-alvestrand-rmcat-remb-03 §2.2
		if len(p) >= 20 && string(p[12:16]) == "REMB" && l.estimator != nil {
			mantissa, exponent := binary.BigEndian.Uint32(p[16:])&0x3ffff, min(p[17]>>2, 40)
			l.estimator.REMB(int(min(uint64(mantissa)<<exponent, rate.Most)))
		}
	}
}

func (l *link) hearKeyRequest(ssrc uint32) {
	d := l.down(ssrc)
	if d == nil || !d.on {
		return
	}
	now, _ := d.mapper.Now()
	d.up.layers[min(int(now.Stream), len(d.up.layers)-1)].ask()
}

func (l *link) down(ssrc uint32) *DownTrack {
	for _, d := range l.downs {
		if d.bound.ssrc == ssrc {
			return d
		}
	}
	return nil
}

// tick does what is due.
func (l *link) tick() {
	if !l.ready() {
		return
	}
	s := l.shard
	l.repeats = 0
	for _, u := range l.tracks {
		for _, y := range u.layers {
			if y.began {
				y.tick()
			}
		}
	}
	if since := s.now - l.reported; since >= arrivalReportEvery && l.arrivals.due(since) {
		l.reported = s.now
		if b := l.arrivals.report(s.report[:0], l.ssrc, l.media()); len(b) > 0 {
			l.sendRTCP(b)
		}
	}
	if s.now-l.receiver >= receiverReportEvery && len(l.tracks) > 0 {
		l.receiver = s.now
		l.reportReception()
	}
	if l.estimator != nil && s.now-l.estimated >= estimatorEvery {
		l.estimated = s.now
		l.estimator.Tick(s.now)
		l.climb()
	}
	l.pad()
	decide := s.now-l.decided >= decideEvery
	if decide {
		l.decided = s.now
		l.protect()
		for _, u := range l.tracks {
			u.tick()
		}
	}
	for _, d := range l.downs {
		if decide {
			d.decide()
		}
		d.tick()
	}
}

// media is an SSRC of the publisher, which feedback must name though it concerns all.
func (l *link) media() uint32 {
	for _, u := range l.tracks {
		for _, y := range u.layers {
			if y.ssrc != 0 {
				return y.ssrc
			}
		}
	}
	return 0
}

// reportReception sends a receiver report (RFC 3550 §6.4.2).
func (l *link) reportReception() {
	s := l.shard
	b := append(s.report[:0], 0x80, 201, 0, 0)
	b = binary.BigEndian.AppendUint32(b, l.ssrc)
	for _, u := range l.tracks {
		for _, y := range u.layers {
			if y.began {
				b = y.block(b, s.now)
				b[0]++
			}
		}
	}
	if b[0] == 0x80 {
		return
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	l.sendRTCP(b)
}

// report sends a sender report: the publisher's clock, brought to ours by the one difference of all its tracks, so that sound and
// picture stay in step (RFC 3550 §6.4.1).
func (d *DownTrack) report() {
	s, publisher := d.link.shard, d.up.link
	now, on := d.mapper.Now()
	delta, _ := d.mapper.TimestampDelta()
	if !on {
		return
	}
	y := d.up.layers[min(int(now.Stream), len(d.up.layers)-1)]
	if y.sender.NTP == 0 {
		return
	}
	since := s.now - y.senderAt
	clock := y.sender.NTP + uint64(publisher.skew) + ntpSpan(since)
	d.reported, d.reportNTP = s.now, uint32(clock>>16)
	b := append(s.report[:0], 0x80, 200, 0, 6)
	b = binary.BigEndian.AppendUint32(b, d.bound.ssrc)
	b = binary.BigEndian.AppendUint64(b, clock)
	b = binary.BigEndian.AppendUint32(b, y.sender.RTP+y.clock(since)-delta)
	b = binary.BigEndian.AppendUint32(b, d.packets)
	b = binary.BigEndian.AppendUint32(b, d.octets)
	d.link.sendRTCP(b)
}
