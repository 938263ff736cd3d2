package spool

import (
	"bytes"

	"golang.org/x/sys/unix"
)

const pageSize = 4096

var newline = []byte{'\n'}

// batch handles up to maxBatch bytes of what was appended and frees it. more is set if the batch's bound, not the end of the file, ended
// it. last also hands on a line that has no newline yet.
func (f *Follower) batch(last bool) (more bool) {
	f.jumps, f.got = 0, 0
	if f.fd < 0 {
		return false
	}
	before := f.pos
	more, err := f.read(last)
	if err != nil {
		f.report(Notice{Kind: NoticeFailed, Err: err})
	}
	if f.pos != before {
		f.opt.Consumed(f.pos)
		f.free()
	}
	return more
}

func (f *Follower) read(last bool) (more bool, err error) {
	if err := f.catchUp(); err != nil {
		return false, err
	}
	if end, err := f.jump(); end || err != nil {
		return false, err
	}
	for f.got < maxBatch && f.jumps < maxJumps {
		n, err := pread(f.fd, f.buf, f.pos.Offset)
		if n == 0 || err != nil {
			return false, err
		}
		chunk := f.buf[:n]
		used := f.split(chunk, last && n < len(f.buf))
		f.got += used
		switch {
		case n == len(f.buf) && n < bigBuffer: // there is more than a quiet bridge writes
			f.buf = make([]byte, bigBuffer)
		case n < len(f.buf):
			return false, nil
		case used == n && chunk[n-1] == 0: // the writer may have left a hole of terabytes
			if end, err := f.jump(); end || err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// catchUp makes sense of a file that is shorter than it was, and drops the
// older part of a backlog that is too long. Blocks, not size, tell how much
// there is: the size is whatever the writer wants.
func (f *Follower) catchUp() error {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return err
	}
	if st.Size < f.pos.Offset {
		f.stats.truncates.Add(1)
		f.report(Notice{Kind: NoticeTruncated})
		f.pos.Offset, f.pos.Skip, f.freed = 0, false, 0
	}
	to := st.Size - f.opt.Backlog/2
	if st.Blocks*512 <= f.opt.Backlog || to <= f.pos.Offset {
		return nil
	}
	skipped := to - f.pos.Offset
	f.stats.skipped.Add(uint64(skipped))
	f.stats.bytes.Add(uint64(skipped))
	f.report(Notice{Kind: NoticeBacklog, Bytes: skipped})
	f.pos.Offset, f.pos.Skip = to, true
	return nil
}

// jump moves on to the next byte that was written, over a hole. A hole ends a
// line: what follows was appended after the file had been extended.
func (f *Follower) jump() (end bool, err error) {
	at, err := unix.Seek(f.fd, f.pos.Offset, unix.SEEK_DATA)
	switch {
	case err == unix.ENXIO:
		return true, nil
	case err == unix.EINVAL: // a file system without holes
		return false, nil
	case err != nil:
		return false, err
	case at > f.pos.Offset:
		f.pos.Offset, f.pos.Skip = at, false
		f.stats.holes.Add(1)
		f.jumps++
	}
	return false, nil
}

// split hands on the lines in chunk, which lies at the position, and moves the
// position past each; it gives how many bytes of chunk are done with. An
// unfinished line is left to be read again, unless it is too long already or
// last is set.
func (f *Follower) split(chunk []byte, last bool) (used int) {
	for used < len(chunk) {
		rest := chunk[used:]
		i := bytes.IndexByte(rest, '\n')
		n := i + 1 // bytes of rest this round is done with
		if i < 0 {
			n = len(rest)
		}
		switch {
		case f.pos.Skip:
			f.stats.skipped.Add(uint64(len(bytes.TrimSuffix(rest[:n], newline))))
			f.move(n, i < 0)
		case i >= 0:
			f.hand(rest[:i])
			f.move(n, false)
			f.opt.Consumed(f.pos)
		case len(rest) > MaxLine || last:
			f.hand(rest)
			f.move(n, !last)
			f.opt.Consumed(f.pos)
		default:
			return used
		}
		used += n
	}
	return used
}

func (f *Follower) move(n int, skip bool) {
	f.pos.Offset += int64(n)
	f.pos.Skip = skip
	f.stats.bytes.Add(uint64(n))
}

func (f *Follower) hand(line []byte) {
	if over := len(line) - MaxLine; over > 0 {
		line = line[:MaxLine]
		f.stats.long.Add(1)
		f.stats.skipped.Add(uint64(over))
		f.report(Notice{Kind: NoticeLongLine})
	}
	if n := len(line); n > 0 && (line[0] == 0 || line[n-1] == 0) {
		line = bytes.Trim(line, "\x00")
	}
	f.stats.lines.Add(1)
	f.opt.Handle(line)
}

// free gives the consumed pages back. A hole is punched and the size left
// alone: truncating would lose what the writer appends in between.
func (f *Follower) free() {
	end := f.pos.Offset &^ (pageSize - 1)
	if end <= f.freed {
		return
	}
	err := unix.Fallocate(f.fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, f.freed, end-f.freed)
	if err != nil && err != unix.EINTR {
		f.report(Notice{Kind: NoticeFailed, Err: err})
		return
	}
	if err == nil {
		f.freed = end
	}
}

func pread(fd int, p []byte, off int64) (int, error) {
	for {
		n, err := unix.Pread(fd, p, off)
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}
