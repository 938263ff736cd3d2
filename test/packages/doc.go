// Package packages holds the tests of the .deb and the .rpm themselves: built
// twice they are the same, they contain what they should with the modes they
// should have, and the .rpm's scriptlets run in a root of their own. What an
// installed package does to running bridges is in test/e2e.
//
// The tests need root for the .rpm, and the tools of packaging/deps.sh.
package packages
