//go:build !nextstate

package keeper

const stateVersion = 1
