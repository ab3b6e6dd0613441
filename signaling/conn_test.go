package signaling

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// Others in the room and the other side go on sending while a socket is told why it ends: the reason is the last word and
// is heard.
func TestTheReasonIsTheLastMessage(t *testing.T) {
	for range 100 {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			c := newConn(ws)
			go c.write()
			var others sync.WaitGroup
			for range 4 {
				others.Go(func() {
					for range 50 {
						c.send("another seat")
					}
				})
			}
			c.end("the reason")
			others.Wait()
			c.linger()
			ws.Close()
		}))
		client, response, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		for range 20 { // nobody reads these
			if client.WriteMessage(websocket.TextMessage, []byte("{}")) != nil {
				break
			}
		}
		last := ""
		for {
			_, raw, err := client.ReadMessage()
			if err != nil {
				break
			}
			last = string(raw)
		}
		client.Close()
		server.Close()
		if last != `"the reason"` {
			t.Fatalf("last heard %s", last)
		}
	}
}
