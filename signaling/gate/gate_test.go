package gate_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"yuanzhen/signaling/gate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open is a listener whose connections are read as pion does, without an end.
func open(t *testing.T, limits gate.Limits) *gate.Listener {
	t.Helper()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := gate.Listen(raw, limits)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l
}

func dial(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ends says how long it takes until the other side has closed the connection; at most as long as asked.
func ends(t *testing.T, c net.Conn, within time.Duration) (time.Duration, bool) {
	t.Helper()
	began := time.Now()
	if err := c.SetReadDeadline(began.Add(within)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	if err == nil {
		t.Fatal("it said something")
	}
	return time.Since(began), !errors.Is(err, os.ErrDeadlineExceeded)
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen", what)
		}
	}
}

func count(l *gate.Listener, open int, refused uint64) func() bool {
	return func() bool { n, r := l.Count(); return n == open && r == refused }
}

func say(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
}

const long = time.Minute

func TestWhoSaysNothingIsSentAway(t *testing.T) {
	l := open(t, gate.Limits{Most: 10, MostOfOne: 10, First: 100 * time.Millisecond, Proof: long, Idle: long})
	if took, ended := ends(t, dial(t, l), 10*time.Second); !ended || took < 50*time.Millisecond {
		t.Fatalf("%s %v", took, ended)
	}
	until(t, "its place is free", count(l, 0, 0))
}

func TestWhoTalksAndProvesNothingIsSentAway(t *testing.T) {
	l := open(t, gate.Limits{Most: 10, MostOfOne: 10, First: long, Proof: 300 * time.Millisecond, Idle: long})
	stranger, friend := dial(t, l), dial(t, l)
	say(t, stranger)
	say(t, friend)
	until(t, "both are there", count(l, 2, 0))
	l.Prove(friend.LocalAddr())
	if took, ended := ends(t, stranger, 10*time.Second); !ended {
		t.Fatalf("the stranger is there after %s", took)
	}
	until(t, "it is counted", count(l, 1, 1))
	if _, ended := ends(t, friend, 400*time.Millisecond); ended {
		t.Fatal("who had proved himself was sent away")
	}
}

func TestWhoFallsSilentIsSentAway(t *testing.T) {
	const idle = 400 * time.Millisecond
	l := open(t, gate.Limits{Most: 10, MostOfOne: 10, First: long, Proof: long, Idle: idle})
	c := dial(t, l)
	until(t, "it is there", count(l, 1, 0))
	l.Prove(c.LocalAddr())
	for range 20 { // twice as long as may be silent
		say(t, c)
		time.Sleep(idle / 10)
	}
	if _, ended := ends(t, c, time.Millisecond); ended {
		t.Fatal("who spoke was sent away")
	}
	if took, ended := ends(t, c, 10*time.Second); !ended {
		t.Fatalf("it is there after %s", took)
	}
}

func TestAFullListenerKeepsWhoBelongsThereAndTakesNewcomers(t *testing.T) {
	l := open(t, gate.Limits{Most: 3, MostOfOne: 10, First: long, Proof: long, Idle: long})
	friend := dial(t, l)
	until(t, "the first", count(l, 1, 0))
	l.Prove(friend.LocalAddr())
	second, third := dial(t, l), dial(t, l)
	until(t, "it is full", count(l, 3, 0))
	newcomer := dial(t, l)
	if _, ended := ends(t, second, 10*time.Second); !ended {
		t.Fatal("the oldest stranger stays")
	}
	until(t, "it is counted", count(l, 3, 1))
	for _, c := range []net.Conn{friend, third, newcomer} {
		if _, ended := ends(t, c, 50*time.Millisecond); ended {
			t.Fatal("another than the oldest stranger was sent away")
		}
	}
	l.Prove(third.LocalAddr())
	l.Prove(newcomer.LocalAddr())
	if _, ended := ends(t, dial(t, l), 10*time.Second); !ended {
		t.Fatal("nobody could go and one more was taken")
	}
	until(t, "it is counted too", count(l, 3, 2))
}

func TestOneAddressGetsNoMoreThanItsShare(t *testing.T) {
	l := open(t, gate.Limits{Most: 10, MostOfOne: 2, First: long, Proof: long, Idle: long})
	first := dial(t, l)
	dial(t, l)
	until(t, "two", count(l, 2, 0))
	if _, ended := ends(t, dial(t, l), 10*time.Second); !ended {
		t.Fatal("a third of one address was taken")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "one has gone", count(l, 1, 1))
	dial(t, l)
	until(t, "another in its place", count(l, 2, 1))
}
