package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// stamps puts the time before each piece that is written.
type stamps struct{ to io.Writer }

func (s stamps) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(s.to, "%d %s", time.Now().UnixMicro(), p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// probe writes into a debug file as claude would.
func probe(args []string) error {
	out, err := os.OpenFile(args[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	distance, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	for range count {
		time.Sleep(time.Duration(distance) * time.Millisecond)
		now := time.Now()
		if _, err := fmt.Fprintf(out, "%s [DEBUG] probe %d\n", now.UTC().Format("2006-01-02T15:04:05.000Z"), now.UnixMicro()); err != nil {
			return err
		}
	}
	return out.Close()
}
