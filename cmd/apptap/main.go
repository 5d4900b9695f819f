// Command apptap says which app sent and received how many bytes, to and from where, and whether the
// kernel agrees.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
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
	// The first SIGINT, SIGTERM or SIGHUP ends the capture, which then prints its report; the signal is then given
	// back to the system, so that a second one ends a report nobody wants to wait for. Under nohup(1) the terminal may go.
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRootCommand(s)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	return tell(s.err, err, command.CommandPath())
}
