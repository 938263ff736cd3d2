// Package cgroup reads what a bridge uses from the files of its cgroup (version
// 2 only) and kills what is left in one. The names and meanings are those of
// the kernel's Documentation/admin-guide/cgroup-v2.rst.
//
// A Group holds an open directory and reads each file by openat, read and
// close into a buffer of the caller's stack. Every figure may be unknown: a
// controller that is not enabled has no files. Where that is the memory
// controller, memory is a sum over the processes in /proc.
package cgroup
