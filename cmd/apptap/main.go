// Command apptap says which app sent and received how many bytes, to and from where, and whether the
// kernel agrees.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process around it, so that tests can call it.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return runWith(args, streams{in: stdin, out: stdout, err: stderr})
}

func runWith(args []string, s streams) int {
	// The first of these signals ends the capture, which then prints its report; they are then given back to the
	// system, so that a second one ends a report nobody wants to wait for.
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	defer stop()
	context.AfterFunc(ctx, func() {
		quitQuietly()
		stop()
	})

	root := newRootCommand(s)
	strictWords(root)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	return tell(s.err, err, command.CommandPath())
}

// quitQuietly has SIGQUIT do from now on what SIGINT does: given back to the system it makes Go print where each goroutine is.
func quitQuietly() {
	if !slices.Contains(endSignals(), os.Signal(syscall.SIGQUIT)) {
		return
	}
	quit, _ := signal.NotifyContext(context.Background(), syscall.SIGQUIT) // until the end of the process
	context.AfterFunc(quit, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGINT) })
}

// endSignals are the signals that end a run with its report. Under nohup(1) the terminal may go. Who sets GOTRACEBACK wants to see what
// Go prints at SIGQUIT (^\): where each goroutine is.
func endSignals() []os.Signal {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	if os.Getenv("GOTRACEBACK") == "" {
		ends = append(ends, syscall.SIGQUIT)
	}
	return ends
}
