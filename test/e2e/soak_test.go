package e2e

import "os"

// soak gives the full count under CLAUSTER_SOAK=1 (make soak), and the one that
// fits into CI otherwise.
func soak(short, full int) int {
	if os.Getenv("CLAUSTER_SOAK") != "" {
		return full
	}
	return short
}
