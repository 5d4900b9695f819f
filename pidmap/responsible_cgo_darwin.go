//go:build cgo

package pidmap

/*
#include <dlfcn.h>
#include <stddef.h>
#include <sys/types.h>

typedef pid_t (*responsible_for)(pid_t);

static responsible_for find_responsible(void) {
	return (responsible_for)dlsym(RTLD_DEFAULT, "responsibility_get_pid_responsible_for_pid");
}

static pid_t ask_responsible(responsible_for f, pid_t pid) { return f(pid); }
*/
import "C"

import "errors"

// findResponsible looks up a function that libSystem has (libquarantine) and no header declares: it may be gone in any release.
func findResponsible() (func(pid int32) (int32, bool), error) {
	f := C.find_responsible()
	if f == nil {
		return nil, errors.New("this macOS has no responsibility_get_pid_responsible_for_pid")
	}
	return func(pid int32) (int32, bool) {
		responsible := C.ask_responsible(f, C.pid_t(pid))
		return int32(responsible), responsible > 0
	}, nil
}
