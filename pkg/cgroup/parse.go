package cgroup

import "bytes"

// The files are the kernel's, but a Host may point anywhere and a kernel may
// say what it did not say before: what is not understood is unknown, never an
// error and never a panic.

// Lines and words are cut by hand: an iterator of package bytes lets the buffer
// escape, and a scrape of 200 bridges made 3 MB of garbage of their files.

func cutLine(data []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(data, []byte{'\n'})
	return line, rest
}

// cutWord gives an empty word between two separators.
func cutWord(data []byte) (word, rest []byte) {
	for i, c := range data {
		if c == ' ' || c == '\n' {
			return data[:i], data[i+1:]
		}
	}
	return data, nil
}

// number reads decimal digits, as many as there are; ok is false for none or
// for more than 64 bits, and for "max".
func number(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		d := uint64(c - '0')
		if n > (1<<64-1-d)/10 {
			return 0, false
		}
		n, ok = n*10+d, true
	}
	return n, ok
}

// field finds the number after "key " at the start of a line.
func field(data []byte, key string) (n uint64, ok bool) {
	for len(data) > 0 {
		var line []byte
		line, data = cutLine(data)
		if len(line) > len(key) && string(line[:len(key)]) == key && line[len(key)] == ' ' {
			return number(line[len(key)+1:])
		}
	}
	return 0, false
}

// sum adds up the numbers after each "key=" word, over all lines.
func sum(data []byte, key string) (total uint64, ok bool) {
	for len(data) > 0 {
		var word []byte
		word, data = cutWord(data)
		if len(word) <= len(key) || word[len(key)] != '=' || string(word[:len(key)]) != key {
			continue
		}
		if n, good := number(word[len(key)+1:]); good {
			total, ok = total+n, true
		}
	}
	return total, ok
}

// percent reads a number with two decimals, as pressure files have them.
func percent(b []byte) float64 {
	whole, ok := number(b)
	if !ok || whole > 1000 {
		return 0
	}
	_, rest, _ := bytes.Cut(b, []byte{'.'})
	if len(rest) < 2 {
		return float64(whole)
	}
	hundredths, _ := number(rest[:2])
	return float64(whole) + float64(hundredths)/100
}

// stall reads the line of a pressure file that begins with kind.
func stall(data []byte, kind string) (s Stall) {
	for len(data) > 0 {
		var line []byte
		line, data = cutLine(data)
		if len(line) <= len(kind) || string(line[:len(kind)]) != kind || line[len(kind)] != ' ' {
			continue
		}
		for rest := line[len(kind)+1:]; len(rest) > 0; {
			var word []byte
			word, rest = cutWord(rest)
			key, value, _ := bytes.Cut(word, []byte{'='})
			switch string(key) {
			case "avg10":
				s.Avg10 = percent(value)
			case "avg60":
				s.Avg60 = percent(value)
			case "avg300":
				s.Avg300 = percent(value)
			case "total":
				s.TotalMicros, _ = number(value)
			}
		}
	}
	return s
}
