//go:build race

package imaging

// shadow is how much more memory a process takes under the race detector, which remembers who touched each word.
const shadow = 3

// drag is how much longer it computes under it, decoders too.
const drag = 4
