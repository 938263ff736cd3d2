// Package event takes the events of all bridges out of the journal into the
// store, each once, and gives them to readers.
//
// The Ingester follows the journal after the stored cursor, believes what
// journald vouches for (journal.Trusted), stores events and cursor in one
// transaction, and publishes them to the Hub. Killed at any instant it goes on
// where that transaction left it; a repeat carries the same event id and is
// dropped by the store. Readers of the Hub follow by the store's own order, so
// that they miss nothing and see nothing twice, however slow they are.
package event
