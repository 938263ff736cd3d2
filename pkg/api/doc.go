// Package api is the HTTP surface: one table of routes with the access rule
// beside each, handlers that return a Response, one place that writes it. Each
// resource (instances, events, deliveries, health, metrics …) is a type with
// its routes in a file of its own; cmd/clauster-api wires them together. The
// OpenAPI document and the HTTP reference are generated from the table.
package api
