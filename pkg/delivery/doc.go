// Package delivery carries events out of the house: webhooks, which machines
// read, and notifications, which people read.
//
// An event is queued in the transaction that stores it, one row of the outbox
// for each target that wants it. Each target has one worker, which sends one
// thing at a time, so that a dead or slow endpoint delays nobody else. What
// fails is tried again after 1, 2, 4, 8 and 16 minutes and is then dead. A
// delivery is marked after it was sent: whoever kills us in between makes us
// send it again, with the same webhook-id.
//
// URLs hold keys. Outside this package a target has a name (scheme, host, a
// short hash of the URL), and no error carries more of a URL than that.
package delivery
