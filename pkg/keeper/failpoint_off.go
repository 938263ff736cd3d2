//go:build !failpoints

package keeper

// failpoint does nothing in a release; see failpoint_on.go.
func failpoint(string) {}
