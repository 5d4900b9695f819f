package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"apptap/capture/live"
)

// unknownCommand is the error for a first word that is no command, with the one that it may have been.
func unknownCommand(root *cobra.Command, word string) error {
	hint := fmt.Sprintf("see '%s --help'", root.CommandPath())
	if like := root.SuggestionsFor(word); len(like) > 0 {
		hint = fmt.Sprintf("did you mean '%s %s'?", root.CommandPath(), like[0])
	}
	return &exitErr{exitUsage, fmt.Errorf("unknown command %q", word), hint}
}

// mistaken is the error for a flag that c cannot do with, with what to type where that is known: tcpdump's flags for what commands do here.
func mistaken(c *cobra.Command, err error) error {
	if word := c.Flags().Arg(0); !c.HasParent() && word != "" {
		return unknownCommand(c, word) // whose flags are not root's
	}
	flag := ""
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		flag = unknown.GetSpecifiedName()
	}
	hint := ""
	switch root := c.Root(); {
	case flag == "r":
		hint = fmt.Sprintf("captures are read by '%s replay FILE'", root.CommandPath())
	case flag == "D":
		hint = fmt.Sprintf("'%s interfaces' lists what can be captured", root.CommandPath())
	case flag == "w":
		hint = fmt.Sprintf("'%s export' writes packets of captures to others", root.CommandPath())
	case len(flag) == 1 && strings.Contains("AeqStxX", flag):
		hint = "packets are not printed: write them with -w FILE for tcpdump or Wireshark"
	case len(flag) == 1 && !c.HasParent():
		hint = fmt.Sprintf("flags stand behind a command, such as '%s capture -%s'", root.CommandPath(), flag)
	}
	return &exitErr{exitUsage, flagError(err), hint}
}

// interfaceAsFilter says of a filter that cannot be compiled that it is an interface, if it is.
func interfaceAsFilter(expr string, err error) error {
	var filter *live.FilterError
	if !errors.As(err, &filter) {
		return err
	}
	if _, unknown := net.InterfaceByName(expr); unknown != nil {
		return err
	}
	return &exitErr{exitUsage, fmt.Errorf("%s is an interface and no filter", expr), "capture on it with -i " + expr}
}
