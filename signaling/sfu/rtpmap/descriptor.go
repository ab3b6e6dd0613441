package rtpmap

// Descriptor reads the dependency descriptor that AV1 (and H264, VP9 on request) carry in a header extension
// (RTP payload format for AV1, appendix A). It remembers the structure that key frames bring. One belongs to one
// incoming stream.
type Descriptor struct {
	known     bool
	offset    uint8 // template_id_offset
	templates uint8
	targets   uint8 // decode targets
	layers    [maxTemplates]layer
	dtis      [maxTemplates]uint64 // two bits a target
	best      [maxTargets]layer    // of each decode target

	next *Descriptor // a structure is read aside, so that a broken one changes nothing
}

type layer struct{ spatial, temporal uint8 }

const (
	maxTemplates = 64
	maxTargets   = 32
	dtiSwitch    = 2
)

// bits reads most significant bit first; beyond the end it notes that it failed and gives zeros.
type bits struct {
	b      []byte
	at     int
	failed bool
}

func (r *bits) read(n int) uint32 {
	var v uint32
	for range n {
		if r.at>>3 >= len(r.b) {
			r.failed = true
			return 0
		}
		v = v<<1 | uint32(r.b[r.at>>3]>>(7-r.at&7)&1)
		r.at++
	}
	return v
}

// ns reads a value below n (AV1 specification §4.10.7).
func (r *bits) ns(n uint32) uint32 {
	w := 0
	for x := n; x != 0; x >>= 1 {
		w++
	}
	m := uint32(1)<<w - n
	v := r.read(w - 1)
	if v < m {
		return v
	}
	return v<<1 - m + r.read(1)
}

// Read sets in l what the extension says of its frame and reports whether it could be understood; l is untouched
// otherwise. A structure allocates once, when the first is read.
func (d *Descriptor) Read(extension []byte, l *Look) bool {
	r := bits{b: extension}
	start, end := r.read(1) == 1, r.read(1) == 1
	template := uint8(r.read(6))
	r.read(16) // frame_number
	if r.failed {
		return false
	}
	from := d
	var fresh, custom bool
	if len(extension) > 3 {
		fresh = r.read(1) == 1
		active := r.read(1) == 1
		custom = r.read(1) == 1
		r.read(2) // custom_fdiffs, custom_chains: which frames they name is the receiver's business
		if fresh {
			if d.next == nil {
				d.next = &Descriptor{}
			}
			if from = d.next; !from.structure(&r) {
				return false
			}
		}
		if active && from.known {
			r.read(int(from.targets))
		}
	}
	if !from.known || r.failed {
		return false
	}
	index := (template - from.offset) & (maxTemplates - 1)
	if index >= from.templates {
		return false
	}
	dtis := from.dtis[index]
	if custom {
		dtis = from.readDTIs(&r)
	}
	if r.failed {
		return false
	}
	at := from.layers[index]
	l.Start, l.End, l.Spatial, l.Temporal = start, end, at.spatial, at.temporal
	l.Key = start && fresh && at.spatial == 0
	l.Switch = l.Temporal == 0
	for t := range from.targets {
		if from.best[t] == at && dtis>>(2*t)&3 == dtiSwitch {
			l.Switch = true
		}
	}
	if fresh {
		spare := d.next
		spare.next = nil
		*d = *spare
		d.next = spare
	}
	return true
}

// structure reads template_dependency_structure into the descriptor.
func (d *Descriptor) structure(r *bits) bool {
	d.known = false
	d.offset = uint8(r.read(6))
	d.targets = uint8(r.read(5)) + 1
	d.templates = 0
	var at layer
	for more := true; more; {
		if d.templates == maxTemplates {
			return false
		}
		d.layers[d.templates] = at
		d.templates++
		switch r.read(2) { // next_layer_idc
		case 1:
			at.temporal++
		case 2:
			at = layer{spatial: at.spatial + 1}
		case 3:
			more = false
		}
		if r.failed || at.temporal > 7 || at.spatial > 3 {
			return false
		}
	}
	for i := range d.templates {
		d.dtis[i] = d.readDTIs(r)
	}
	for range d.templates {
		for r.read(1) == 1 { // fdiff_follows
			r.read(4)
		}
	}
	if chains := r.ns(uint32(d.targets) + 1); chains > 0 {
		for range d.targets {
			r.ns(chains)
		}
		r.read(int(d.templates) * int(chains) * 4)
	}
	if r.read(1) == 1 { // resolutions
		r.read((int(at.spatial) + 1) * 32)
	}
	// A decode target has the highest layers of the templates that are present in it (decode_target_layers).
	for t := range d.targets {
		d.best[t] = layer{}
		for i := range d.templates {
			if d.dtis[i]>>(2*t)&3 != 0 {
				d.best[t].spatial = max(d.best[t].spatial, d.layers[i].spatial)
				d.best[t].temporal = max(d.best[t].temporal, d.layers[i].temporal)
			}
		}
	}
	d.known = !r.failed
	return d.known
}

func (d *Descriptor) readDTIs(r *bits) uint64 {
	var v uint64
	for t := range d.targets {
		v |= uint64(r.read(2)) << (2 * t)
	}
	return v
}
