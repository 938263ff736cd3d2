// Package address tells public addresses from those of this host, its networks
// and the reserved ranges (IANA special-purpose registries, RFC 6890), so that
// what an operator configures is judged by one rule where it is checked and
// where it is dialled.
package address
