// Package bridge holds the words of Clauster: what an instance, a launch, a
// status, an event and a verdict are. It is pure: values in, values out, no
// input or output, nothing but the standard library. Every other package
// speaks these words; none of them invents its own.
//
// Data flows one way through here: systemd's facts (ListUnits, unit
// properties, the bridge's exit status) become words (Status, Health,
// Verdict), and the surfaces (journal events, clauster-ctl, the API) print the
// words.
package bridge
