package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManPages holds the pages of docs/man against the help texts; -update writes them.
func TestManPages(t *testing.T) {
	const dir = "../../docs/man"
	pages := manPages()
	for name, page := range pages {
		checkGolden(t, filepath.Join(dir, name), page)
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		if pages[file.Name()] == "" {
			t.Errorf("%s is of no command", file.Name())
		}
	}
}

// manPages are the pages of apptap and of its commands, by file name.
func manPages() map[string]string {
	root := newRootCommand(streams{})
	pages := map[string]string{"apptap.1": manPage(root)}
	for _, c := range root.Commands() {
		if c.Name() != "version" {
			pages["apptap-"+c.Name()+".1"] = manPage(c)
		}
	}
	return pages
}

// manPage is a command's help in the macros of man(7), which every system's man reads. It has no date: it is as old as the version.
func manPage(c *cobra.Command) string {
	var b bytes.Buffer
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" apptap\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", strings.ToUpper(roff(name)), roff(name), roff(c.Short))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, ".B %s\n.I command\n[flags] [arguments]\n", roff(name))
	} else {
		command, rest, _ := strings.Cut(c.UseLine(), " [flags]")
		fmt.Fprintf(&b, ".B %s\n[flags]%s\n", roff(command), roff(rest))
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", paragraphs(c.Long, c.Short))
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
	b.WriteString(options(c.Flags()))
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.EX\n%s\n.EE\n", roff(c.Example))
	}
	b.WriteString(".SH SEE ALSO\n")
	if c.HasParent() {
		b.WriteString(".BR apptap (1),\n")
	} else {
		for _, sub := range c.Commands() {
			if sub.Name() != "version" {
				fmt.Fprintf(&b, ".BR %s\\-%s (1),\n", roff(name), roff(sub.Name()))
			}
		}
	}
	b.WriteString(".BR pcap\\-filter (7),\n.BR tcpdump (1)\n")
	return b.String()
}

// options are what -h says of flags: letter, name and argument, then what they do.
func options(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		argument, usage := pflag.UnquoteUsage(f)
		if argument != "" {
			argument = " \\fI" + roff(argument) + "\\fR"
		}
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(&b, "\\fB\\-%s\\fR%s, ", f.Shorthand, argument)
		}
		fmt.Fprintf(&b, "\\fB\\-\\-%s\\fR%s\n%s", roff(f.Name), argument, roff(usage))
		if d := f.DefValue; d != "" && d != "0" && d != "false" && d != "[]" {
			fmt.Fprintf(&b, " (default %s)", roff(d))
		}
		b.WriteByte('\n')
	})
	if b.Len() == 0 {
		return ""
	}
	return ".SH OPTIONS\n" + b.String()
}

// paragraphs is a help's text, filled: its empty lines part paragraphs.
func paragraphs(long, short string) string {
	if long == "" {
		long = strings.ToUpper(short[:1]) + short[1:] + "."
	}
	return strings.ReplaceAll(roff(long), "\n\n", "\n.PP\n")
}

// roff is text that no line of is a request, and in which hyphens and backslashes can be copied.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "^", `\(ha`, "`", `\(ga`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return strings.NewReplacer("\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
}
