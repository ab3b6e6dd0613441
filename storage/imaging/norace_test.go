//go:build !race

package imaging

const shadow = 1
