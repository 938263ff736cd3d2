// Package lines decides what becomes of a line that a bridge wrote on its way
// to the journal: whether it may pass (Budget), at which priority (Priority)
// and in which form (Clean). It does no input or output, and time is given to
// it. Markers and events do not come through here: they are never dropped.
package lines
