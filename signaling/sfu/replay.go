package sfu

// replayWindow is how far behind the newest a packet may arrive (RFC 3711 §3.3.2); what is sent again over a line with 1 s round
// trip and 500 packets/s still passes.
const replayWindow = 1024

// replays knows which packets of one SSRC were seen, by extended sequence number. srtp has such a window too, but allocates for
// each packet. It must only note what proved to be authentic.
type replays struct {
	newest uint64 // 0 before the first
	seen   [replayWindow / 64]uint64
}

// number extends a sequence number and says whether it is new.
func (r *replays) number(sequence uint16) (n uint64, fresh bool) {
	if r.newest == 0 {
		return firstNumber + uint64(sequence), true
	}
	n = unwrap(r.newest, sequence)
	switch {
	case n > r.newest:
		return n, true
	case r.newest-n >= replayWindow:
		return n, false
	}
	return n, r.seen[n%replayWindow/64]>>(n%64)&1 == 0
}

func (r *replays) note(n uint64) {
	if n > r.newest {
		if r.newest == 0 || n-r.newest >= replayWindow {
			clear(r.seen[:])
			r.newest = n
		}
		for r.newest < n {
			r.newest++
			r.seen[r.newest%replayWindow/64] &^= 1 << (r.newest % 64)
		}
	}
	r.seen[n%replayWindow/64] |= 1 << (n % 64)
}
