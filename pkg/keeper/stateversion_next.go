//go:build nextstate

package keeper

// A keeper of the next release, as the tests of reload see it.
const stateVersion = 2
