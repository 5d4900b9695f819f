package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
)

// TestNotWritable: what the system says of a file that cannot be made comes with what to do next.
func TestNotWritable(t *testing.T) {
	t.Setenv("TMPDIR", "/var/tmp")
	for _, tt := range []struct {
		cause      error
		want, hint string
	}{
		{syscall.EROFS, "read-only file system", "name a file where you may write, such as /var/tmp/e.pcapng"},
		{syscall.EACCES, "permission denied", "name a file where you may write, such as /var/tmp/e.pcapng"},
		{syscall.ENOENT, "no file can be made in /mnt", "name a file where you may write, such as /var/tmp/e.pcapng"},
		{syscall.ENAMETOOLONG, "file name too long", "give a shorter name"},
	} {
		var said bytes.Buffer
		code := tell(&said, notWritable("/mnt/e.pcapng", &fs.PathError{Op: "open", Path: "/mnt/e.pcapng", Err: tt.cause}), "apptap export")
		want := fmt.Sprintf("apptap: write /mnt/e.pcapng: %s\napptap: hint: %s\n", tt.want, tt.hint)
		if code != exitError || said.String() != want {
			t.Errorf("%v: exit code %d, %q, want %d, %q", tt.cause, code, &said, exitError, want)
		}
	}
}
