package app

import (
	"slices"
	"testing"
)

func TestAnOutsideRelayIsOfferedOnAllItsWays(t *testing.T) {
	for setting, want := range map[string][]string{
		"turn:t.example.org:3478":                              {"turn:t.example.org:3478?transport=udp", "turn:t.example.org:3478?transport=tcp"},
		"turn:t.example.org, turns:t.example.org:443":          {"turn:t.example.org?transport=udp", "turn:t.example.org?transport=tcp", "turns:t.example.org:443?transport=tcp"},
		"turn:t.example.org?transport=tcp,turns:t.example.org": {"turn:t.example.org?transport=tcp", "turns:t.example.org?transport=tcp"},
	} {
		if got := relayURLs(setting); !slices.Equal(got, want) {
			t.Errorf("%s: offered %v, want %v", setting, got, want)
		}
	}
}
