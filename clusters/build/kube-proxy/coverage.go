//go:build coverage

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/coverage"
	"syscall"
	"time"
)

// How much of what it does last may not be counted where kube-proxy is killed.
const period = 200 * time.Millisecond

// Go writes what a program has reached where that ends by itself. kube-proxy is ended by signals, of
// which it handles none: so it is written now and then and at SIGTERM, which then ends it as ever.
func init() {
	folder := os.Getenv("GOCOVERDIR")
	if folder == "" {
		return
	}
	own := fmt.Sprintf("%d.%d", os.Getpid(), time.Now().UnixNano())
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	go func() {
		ticks := time.Tick(period)
		for {
			select {
			case <-ticks:
				write(folder, own)
			case <-ended:
				write(folder, own)
				signal.Reset(syscall.SIGTERM)
				_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
			}
		}
	}()
}

// write writes the counters to one file of this process, by the name that `go tool covdata` looks for;
// never half. What cannot be written is no business of a proxy's.
func write(folder, own string) {
	var counters bytes.Buffer
	if coverage.WriteCounters(&counters) != nil {
		return
	}
	metadata := counters.Bytes()[8:24] // internal/coverage.CounterFileHeader: its hash
	name := fmt.Sprintf("covcounters.%x.%s", metadata, own)
	unfinished := filepath.Join(folder, "unfinished-"+own)
	if os.WriteFile(unfinished, counters.Bytes(), 0o644) == nil {
		_ = os.Rename(unfinished, filepath.Join(folder, name))
	}
}
