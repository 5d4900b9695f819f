package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"apptap/internal/usage"
)

// offenders is how many rows are shown of a rule that is broken.
const offenders = 20

func newAssertCommand(s streams) *cobra.Command {
	var format string
	selecting, limiting := usage.Fields()
	c := &cobra.Command{
		Use:   "assert [flags] FILE RULE...",
		Short: "hold a report or a capture against rules: a traffic budget for CI",
		Long: `Hold FILE, a JSON report of apptap, a session or any other capture, against rules, and exit with 1 if one is broken.

A RULE is terms with spaces between them. ` + strings.Join(selecting, ", ") + `
select rows, all terms together; texts are compared with = or !=, without case, with * and ? as in a shell, and addresses also with a prefix.
` + strings.Join(limiting, ", ") + `
limit the sum of those rows, also in kB, MB, GB, TB, KiB, MiB, GiB or TiB. A rule without a limit wants no such row.
What has no owner is the app "` + usage.Unattributed + `".`,
		Example: `  apptap assert session.pcapng 'app=updater bytes<10MB' 'app!=browser dst=*.example.com'
  apptap replay ci.pcap --format json | apptap assert - 'proto=udp port=53 flows<=20' 'app=unattributed'`,
		RunE: func(c *cobra.Command, args []string) error { return runAssert(c.Context(), s, format, args) },
	}
	c.Flags().StringVar(&format, "format", "text", "say the outcome as `FORMAT`, text or json")
	return c
}

func runAssert(ctx context.Context, s streams, format string, args []string) error {
	if format != "text" && format != "json" {
		return usageError("--format %q: want text or json", format)
	}
	if len(args) < 2 {
		return usageError("assert wants a file and a rule: apptap assert FILE 'app=curl bytes<10MB'")
	}
	var rules []usage.Rule
	for _, text := range args[1:] {
		rule, err := usage.ParseRule(text)
		if err != nil {
			return &exitErr{code: exitUsage, err: err}
		}
		rules = append(rules, rule)
	}
	report, err := usageOf(ctx, s, args[0])
	if err != nil {
		return err
	}
	broken := 0
	var outcomes []usage.Outcome
	for i := range rules {
		o := rules[i].Check(report)
		if !o.Kept {
			broken++
		}
		outcomes = append(outcomes, o)
	}
	out := bufio.NewWriter(s.out)
	if format == "json" {
		err = writeOutcomesJSON(out, outcomes)
	} else {
		for i := range outcomes {
			writeOutcome(out, &outcomes[i])
		}
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("write to standard output: %w", pathCause(err))
	}
	if broken > 0 {
		return fmt.Errorf("%d of %s broken", broken, plural(len(rules), "rule"))
	}
	return nil
}

func writeOutcome(w io.Writer, o *usage.Outcome) {
	word := "kept  "
	if !o.Kept {
		word = "BROKEN"
	}
	fmt.Fprintf(w, "%s  %s  (%d B, %s, %s)\n", word, printable(o.Rule), o.Sum.Bytes(), plural(o.Sum.TxPackets+o.Sum.RxPackets, "packet"), plural(o.Sum.Flows, "flow"))
	for _, r := range o.Vague {
		fmt.Fprintf(w, "        not checked: %d B of %s with destinations that the report does not list\n", r.Bytes(), printable(r.App))
	}
	if o.Kept {
		return
	}
	for _, r := range o.Rows[:min(len(o.Rows), offenders)] {
		fmt.Fprintf(w, "        %s  %s  %d B, %s\n", printable(r.App), printable(whereTo(r.Dst, r.Proto, r.Port, r.Inbound)), r.Bytes(), plural(r.Flows, "flow"))
	}
	if n := len(o.Rows) - offenders; n > 0 {
		fmt.Fprintf(w, "        and %d more\n", n)
	}
}

// whereTo is a destination in words.
func whereTo(dst, proto string, port uint16, inbound bool) string {
	if proto == "" {
		return dst
	}
	text := proto + " " + net.JoinHostPort(dst, strconv.Itoa(int(port)))
	if inbound {
		text += " inbound"
	}
	return text
}

// outcomeJSON is one rule of `apptap assert --format json`.
type outcomeJSON struct {
	Rule string `json:"rule"`
	Kept bool   `json:"kept"`
	usage.Amounts
	Rows      []rowJSON `json:"rows"` // those that the rule is about
	Unchecked uint64    `json:"unchecked_bytes"`
}

type rowJSON struct {
	App     string `json:"app"`
	AppID   string `json:"app_id"`
	Dst     string `json:"dst"`
	Proto   string `json:"proto"`
	Port    uint16 `json:"port"`
	Inbound bool   `json:"inbound"`
	usage.Amounts
}

func writeOutcomesJSON(out *bufio.Writer, outcomes []usage.Outcome) error {
	told := struct {
		Schema string        `json:"schema"`
		Kept   bool          `json:"kept"`
		Rules  []outcomeJSON `json:"rules"`
	}{"apptap.assert/1", !slices.ContainsFunc(outcomes, func(o usage.Outcome) bool { return !o.Kept }), []outcomeJSON{}}
	for i := range outcomes {
		o := &outcomes[i]
		j := outcomeJSON{Rule: o.Rule, Kept: o.Kept, Amounts: o.Sum, Rows: []rowJSON{}}
		for _, r := range o.Rows {
			j.Rows = append(j.Rows, rowJSON{r.App, r.AppID, r.Dst, r.Proto, r.Port, r.Inbound, r.Amounts})
		}
		for i := range o.Vague {
			j.Unchecked += o.Vague[i].Bytes()
		}
		told.Rules = append(told.Rules, j)
	}
	return writeJSONLines(out, told)
}

func writeJSONLines(out *bufio.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	return out.Flush()
}
