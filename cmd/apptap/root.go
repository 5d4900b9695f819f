package main

import (
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"apptap/capture"
)

// streams are the process's standard streams. stdout is data, stderr is talk.
type streams struct {
	in       io.Reader
	out, err io.Writer
	// through is what live packets are read through; nil is as they are. Tests lose some on purpose.
	through func(capture.Source) capture.Source
}

func newRootCommand(s streams) *cobra.Command {
	var root *cobra.Command
	root = &cobra.Command{
		Use:     "apptap",
		Version: version(),
		Short:   "which app sent and received how many bytes, to and from where, and does the kernel agree",
		Long: `apptap captures packets, finds the app behind each of them, and prints what every app sent and
received, to and from where. It checks its own totals against the kernel's counters and says so.

Exit status: 0 ok, 1 error, 2 usage, 3 report made but incomplete (with --strict),
4 no permission to capture, 130 interrupted without a report.`,
		Example: `  sudo apptap capture                      # until ^C, on the interface of the default route
  sudo apptap capture -i eth0 -d 30s port 443
  apptap replay session.pcapng --format json`,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return emptyFlags(c.Flags()) },
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(root, args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return mistaken(c, err) })
	root.SuggestionsMinimumDistance = 2 // letters that may be wrong
	root.SetVersionTemplate("apptap {{.Version}}\n")
	root.AddCommand(
		newCaptureCommand(s), newReplayCommand(s), newAssertCommand(s), newDiffCommand(s), newExportCommand(s), newInterfacesCommand(s), newDoctorCommand(s), newVersionCommand(s),
	)
	return root
}

// strictWords has what cobra adds refuse words that it does not know: both commands would print a help and end well.
func strictWords(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Run, c.RunE = nil, func(_ *cobra.Command, words []string) error {
				about, rest, err := root.Find(words)
				if err != nil {
					return err
				}
				if len(rest) > 0 {
					return unknownCommand(about, rest[0])
				}
				about.InitDefaultHelpFlag()
				return about.Help()
			}
		case "completion":
			c.SuggestionsMinimumDistance = root.SuggestionsMinimumDistance
			c.Args = func(c *cobra.Command, words []string) error {
				if len(words) > 0 {
					return unknownCommand(c, words[0])
				}
				return nil
			}
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
			for _, shell := range c.Commands() {
				shell.Args = noArgs
			}
		}
	}
}

func newVersionCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(s.out, "apptap "+version()+"\n")
			return err
		},
	}
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("%s takes no arguments, got %q", c.CommandPath(), args[0])
	}
	return nil
}

// released is set by the linker in release builds: -ldflags "-X main.released=1.2.3".
var released string

// version is the release, or what Go knows of a build without one.
func version() string {
	if released != "" {
		return released
	}
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "(devel)"
}
