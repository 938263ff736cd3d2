// Package lint holds the rules of this repository that a compiler does not
// know: package and name comments, who may import what and why, what tests may
// not do, and that units, catalog, polkit rule and documents say what the code
// says. It has tests only, and reads the source tree it is run in.
package lint
