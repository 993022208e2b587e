// Command bounded is an OCI runtime for machines that lack a capability: it is runc, asked for no
// more than this process may have.
//
// "Privileged" means every capability that the engine knows of, and runc fails where one of them is
// not in the bounding set (in containers and virtual machines often CAP_SYS_RESOURCE, without
// which, besides, no limit can be raised and no process made less likely to be killed). So the
// capabilities, limits and the score of the process to be started are cut down before runc reads
// them: for "create" and "run" in the bundle's config.json, for "exec" in the file that names the
// process.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The names of capabilities by number: linux/capability.h.
var capabilities = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID
	SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER
	SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE
	SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN
	SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bounded:", err)
		os.Exit(1)
	}
}

// run cuts down what the arguments name, and becomes runc.
func run(arguments []string) error {
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	if bundle := value(arguments, "--bundle", "-b"); bundle != "" {
		if err := edit(filepath.Join(bundle, "config.json"), true); err != nil {
			return err
		}
	}
	if process := value(arguments, "--process", "-p"); process != "" {
		if err := edit(process, false); err != nil {
			return err
		}
	}
	return syscall.Exec(runc, append([]string{"runc"}, arguments...), os.Environ())
}

// value is what an option is given, as "--option value" or "--option=value"; "" where it isn't.
func value(arguments []string, names ...string) string {
	for at, argument := range arguments {
		for _, name := range names {
			if argument == name && at+1 < len(arguments) {
				return arguments[at+1]
			}
			if rest, found := strings.CutPrefix(argument, name+"="); found {
				return rest
			}
		}
	}
	return ""
}

// edit cuts down a process in a JSON file: the whole file, or what is called process in it.
// Everything else stays as it was written.
func edit(path string, inside bool) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(content, &whole); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	process := whole
	if inside {
		process = nil
		if err := json.Unmarshal(whole["process"], &process); err != nil {
			return fmt.Errorf("%s: process: %w", path, err)
		}
	}
	if err := bound(process); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if inside {
		if whole["process"], err = json.Marshal(process); err != nil {
			return err
		}
	}
	if content, err = json.Marshal(whole); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}

// bound cuts a process down to what this one may have.
func bound(process map[string]json.RawMessage) error {
	if wanted, there := process["capabilities"]; there {
		allowed, err := boundingSet()
		if err != nil {
			return err
		}
		var sets map[string][]string
		if err := json.Unmarshal(wanted, &sets); err != nil {
			return fmt.Errorf("capabilities: %w", err)
		}
		for set, names := range sets {
			kept := []string{}
			for _, name := range names {
				if allowed[name] {
					kept = append(kept, name)
				}
			}
			sets[set] = kept
		}
		if process["capabilities"], err = json.Marshal(sets); err != nil {
			return err
		}
	}
	if wanted, there := process["oomScoreAdj"]; there {
		content, err := os.ReadFile("/proc/self/oom_score_adj")
		if err != nil {
			return err
		}
		own := strings.TrimSpace(string(content))
		least, err := strconv.Atoi(own)
		if err != nil {
			return err
		}
		if score, err := strconv.Atoi(string(wanted)); err != nil || score < least {
			process["oomScoreAdj"] = json.RawMessage(own)
		}
	}
	delete(process, "rlimits")
	return nil
}

// boundingSet is the names of the capabilities that this process and its children may ever have.
func boundingSet() (map[string]bool, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		digits, found := strings.CutPrefix(line, "CapBnd:")
		if !found {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 64)
		if err != nil {
			return nil, err
		}
		allowed := map[string]bool{}
		for number, name := range capabilities {
			allowed["CAP_"+name] = bits&(1<<number) != 0
		}
		return allowed, nil
	}
	return nil, fmt.Errorf("/proc/self/status names no bounding set")
}
