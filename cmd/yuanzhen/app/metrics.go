package app

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"yuanzhen/signaling"
)

// newMetrics is what /metrics tells of this process; media is nil where it has no rooms.
func newMetrics(media *signaling.Server) *prometheus.Registry {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if media != nil {
		metrics.MustRegister(mediaMetrics{media})
	}
	return metrics
}

// mediaMetrics reads the rooms' counters when it is asked.
type mediaMetrics struct{ server *signaling.Server }

// Describe implements prometheus.Collector.
func (c mediaMetrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect implements prometheus.Collector.
func (c mediaMetrics) Collect(out chan<- prometheus.Metric) {
	s := c.server.Snapshot()
	m := s.Media
	tell := func(kind prometheus.ValueType, name, help string, v float64, label ...string) {
		var names, values []string
		if len(label) == 2 {
			names, values = label[:1], label[1:]
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("yuanzhen_media_"+name, help, names, nil), kind, v, values...)
	}
	now := func(name, help string, n int, label ...string) {
		tell(prometheus.GaugeValue, name, help, float64(n), label...)
	}
	total := func(name, help string, n uint64, label ...string) {
		tell(prometheus.CounterValue, name+"_total", help, float64(n), label...)
	}

	now("rooms", "Rooms in which somebody sits.", s.Rooms)
	now("seats", "Seats taken.", s.Seats)
	now("waiting_seats", "Seats that wait to be let in.", s.Waiting)
	now("reconnecting_seats", "Seats whose socket is lost.", s.Reconnecting)
	now("sockets", "WebSockets open.", s.Sockets)
	now("ticketless_sockets", "WebSockets that have shown no ticket yet.", s.Strangers)
	const sockets = "WebSockets sent away: their ticket was bad, or none came in time or before there were too many of them."
	total("refused_sockets", sockets, s.TicketsRefused, "cause", "bad_ticket")
	total("refused_sockets", sockets, s.TicketsMissing, "cause", "no_ticket")

	now("relay_allocations", "Allocations of the TURN relay.", s.Relays)
	const lines, refused = "TCP connections for media.", "TCP connections for media sent away: too many of them, or nothing proved on them in time."
	now("tcp_connections", lines, s.RelayLines, "to", "relay")
	now("tcp_connections", lines, m.Lines, "to", "ice")
	total("refused_tcp_connections", refused, s.RelayLinesRefused, "to", "relay")
	total("refused_tcp_connections", refused, m.LinesRefused, "to", "ice")

	now("peers", "Seats with media connections.", int(m.Peers))
	const tracks = "Tracks published (up) and copies of them (down)."
	now("tracks", tracks, int(m.UpTracks), "direction", "up")
	now("tracks", tracks, int(m.DownTracks), "direction", "down")
	total("received_packets", "Packets of media received.", m.PacketsIn)
	total("received_bytes", "Bytes of media received.", m.BytesIn)
	total("sent_packets", "Packets of media sent on.", m.PacketsOut)
	total("sent_bytes", "Bytes of media sent on.", m.BytesOut)
	total("unsent_packets", "Packets that could not be written to a subscriber.", m.PacketsLost)
	const dropped = "Packets thrown away: from where nobody has proved to be (stray), no RTP (malformed), not authentic (forged), " +
		"seen before or too old (replayed), of no track (unclaimed), more than one connection may send (over_budget)."
	total("dropped_packets", dropped, m.Stray, "cause", "stray")
	total("dropped_packets", dropped, m.Malformed, "cause", "malformed")
	total("dropped_packets", dropped, m.Forged, "cause", "forged")
	total("dropped_packets", dropped, m.Replayed, "cause", "replayed")
	total("dropped_packets", dropped, m.Unclaimed, "cause", "unclaimed")
	total("dropped_packets", dropped, m.Flooded, "cause", "over_budget")
	total("key_frame_requests", "Key frames asked of publishers.", m.KeyFrameRequests)
	total("repeated_packets", "Packets sent again to who missed them.", m.Repeats)
	total("restored_packets", "Packets of sound that did not come, found in later ones.", m.Restored)
	const missed = "Packets asked for again, of publishers (up) and by subscribers (down)."
	total("missed_packets", missed, m.NACKsSent, "direction", "up")
	total("missed_packets", missed, m.NACKsReceived, "direction", "down")
	total("data_messages", "Messages sent on data channels.", m.DataMessages)
	total("dropped_data_messages", "Messages that a data channel had no room for.", m.DataDrops)
}
