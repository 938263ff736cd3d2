// Package fleet knows all bridges of one systemd manager: it gathers the facts
// (units, scopes, launch records, what is enabled, control groups, the last
// event of the dead) and turns them into what is shown of an instance.
// clauster-ctl looks once (Look); the API keeps a Table that systemd's signals
// keep current, and changes bridges through an Operator. It links no net/http.
package fleet
