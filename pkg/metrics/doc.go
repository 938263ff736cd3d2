// Package metrics turns what is known of bridges, the host, the store and our
// own service into figures and health: the Prometheus page, samples of what
// bridges use, the four categories of GET /api/v1/metrics, and the checks of
// GET /health. Figures are read when somebody asks, never on a timer; what is
// slow to learn (claude's version, its login) is remembered and looked at again
// beside the answer, never before it. Types may be used by several goroutines.
package metrics
