// Package mutants says which fault kube-proxy has now.
//
// The environment names a file of JSON in MUTANT_SETTINGS: MUTANT, the name of a mutant, and
// MUTANT_RECORD, the file to record in. It may change between two starts; without it there is no
// fault.
package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
)

var (
	settings struct{ MUTANT, MUTANT_RECORD string }
	once     sync.Once
)

func init() {
	text, err := os.ReadFile(os.Getenv("MUTANT_SETTINGS"))
	if err != nil {
		return
	}
	if err := json.Unmarshal(text, &settings); err != nil {
		panic(err)
	}
	note("unaltered")
}

func note(word string) {
	record, err := os.OpenFile(settings.MUTANT_RECORD, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer record.Close()
	record.WriteString(word + "\n")
}

// Is tells whether kube-proxy is this mutant, and records that its fault is reached.
func Is(name string) bool {
	if name != settings.MUTANT {
		return false
	}
	once.Do(func() { note("altered") })
	return true
}

// Run runs a command, whatever stands in front of programs on the PATH of kube-proxy.
func Run(program string, arguments ...string) {
	for _, folder := range []string{"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"} {
		if _, err := os.Stat(folder + program); err == nil {
			exec.Command(folder+program, arguments...).Run()
			return
		}
	}
}

// Without hands on what is answered but for the lines that have a word.
func Without(word string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		whole := httptest.NewRecorder()
		handler.ServeHTTP(whole, request)
		for name, values := range whole.Header() {
			answer.Header()[name] = values
		}
		answer.WriteHeader(whole.Code)
		for _, line := range bytes.SplitAfter(whole.Body.Bytes(), []byte("\n")) {
			if !bytes.Contains(line, []byte(word)) {
				answer.Write(line)
			}
		}
	})
}

// Few is a listener that closes every connection after the first sixteen.
func Few(whole net.Listener) net.Listener {
	return &few{Listener: whole}
}

type few struct {
	net.Listener
	accepted atomic.Int32
}

func (listener *few) Accept() (net.Conn, error) {
	found, err := listener.Listener.Accept()
	if err == nil && listener.accepted.Add(1) > 16 {
		found.Close()
	}
	return found, err
}

// IPv4 listens in that family alone.
type IPv4 struct{}

func (IPv4) Listen(_ context.Context, _ string, addresses ...string) (net.Listener, error) {
	return net.Listen("tcp4", addresses[0])
}

var kept sync.Map

// Keep has a word kept in mind.
func Keep(word string) { kept.Store(word, true) }

// Kept tells whether a word is kept in mind.
func Kept(word string) bool {
	_, found := kept.Load(word)
	return found
}

// Leave has a word left on the node, for any instance that runs there until another mutant does.
func Leave(word string) {
	if err := os.WriteFile(settings.MUTANT_RECORD+"-"+word, nil, 0o644); err != nil {
		panic(err)
	}
}

// Left tells whether a word is left on the node.
func Left(word string) bool {
	_, err := os.Stat(settings.MUTANT_RECORD + "-" + word)
	return err == nil
}

// Spared tells whether an object is of the Service that tells when a change is in force.
func Spared(name string) bool { return strings.HasPrefix(name, "canary-") }
