//go:build !race

package imaging

const shadow, drag = 1, 1
