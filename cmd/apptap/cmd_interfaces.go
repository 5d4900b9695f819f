package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"apptap/capture/live"
)

func newInterfacesCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "interfaces",
		Short: "list what can be captured, and which interface is the default",
		Long: `List what can be captured, a line each: name, link type, state and addresses. The interface that 'apptap capture'
takes without -i has the state default. A link type that is not known is a -.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runInterfaces(s) },
	}
}

// runInterfaces prints one line an interface, the default one marked as such.
func runInterfaces(s streams) error {
	rows, err := live.Interfaces()
	if err != nil {
		return err
	}
	chosen, note, noDefault := live.Default()
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tLINK TYPE\tSTATE\tADDRESSES")
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", printable(row.Name), linkTypeOf(row), stateOf(row, row.Name == chosen), addressesOf(row))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if noDefault != nil {
		fmt.Fprintf(s.err, "apptap: no default interface: %v\n", oneLine(noDefault))
	}
	if note != "" {
		fmt.Fprintf(s.err, "apptap: %s\n", note)
	}
	return nil
}

func linkTypeOf(row live.InterfaceRow) string {
	if !row.LinkTypeKnown {
		return "-"
	}
	return row.LinkType.String()
}

func stateOf(row live.InterfaceRow, isDefault bool) string {
	var words []string
	for _, word := range []struct {
		is   bool
		text string
	}{
		{isDefault, "default"}, {row.Up, "up"}, {!row.Up, "down"}, {row.Loopback, "loopback"},
		{row.Wireless, "wireless"}, {row.Tunnel, "tunnel"},
	} {
		if word.is {
			words = append(words, word.text)
		}
	}
	return strings.Join(words, ",")
}

func addressesOf(row live.InterfaceRow) string {
	if len(row.Addrs) == 0 {
		return row.Description
	}
	texts := make([]string, len(row.Addrs))
	for i, addr := range row.Addrs {
		texts[i] = addr.Addr().String()
	}
	return strings.Join(texts, " ")
}
