package live

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"apptap/capture"
)

// What gopacket says for libpcap's activation codes. Its error type is not exported, so the words are
// all there is; the integration tests hold them.
const (
	wordsNoPromiscuous = "Cannot set as promisc"
	wordsDenied        = "Permission Denied"
	wordsPromiscDenied = "unknown activated error: -11" // PCAP_ERROR_PROMISC_PERM_DENIED
	wordsNoDevice      = "No Such Device"
)

// makeDo is what to ask for next where words, libpcap's, say that c asks for too much: without promiscuous mode, which some interfaces, as
// the device any, do not have (gopacket turns libpcap's warning into an error), or with a smaller buffer.
func (c Config) makeDo(words string) (less Config, ok bool) {
	if c.Promiscuous && words == wordsNoPromiscuous {
		c.Promiscuous = false
		return c, true
	}
	c.BufferBytes, ok = lessBuffer(words, c.BufferBytes)
	return c, ok
}

// explainActivate turns an activation error into one that names the mend.
func explainActivate(name string, err error) error {
	words := err.Error()
	denied := words == wordsDenied || words == wordsPromiscDenied
	// Without rights libpcap fails before it looks for the device: a name that does not exist is the
	// better thing to say.
	if words == wordsNoDevice || denied && !exists(name) {
		return &NoInterfaceError{Interface: name, Available: available()}
	}
	if denied {
		return deniedOn(name)
	}
	return fmt.Errorf("capture on %s: %w", name, err)
}

func deniedOn(name string) error {
	executable, err := os.Executable()
	if err != nil {
		executable = ""
	}
	return &PermissionError{Interface: name, Executable: executable, Words: "permission denied"}
}

// exists is generous: libpcap makes some devices on demand and does not list them.
func exists(name string) bool {
	if strings.HasPrefix(name, "pktap") || strings.HasPrefix(name, "iptap") {
		return true
	}
	if _, err := net.InterfaceByName(name); err == nil {
		return true
	}
	return slices.Contains(available(), name)
}

func available() []string {
	rows, err := Interfaces()
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(rows))
	for _, r := range rows {
		names = append(names, r.Name)
	}
	return names
}

// chooseLinkType picks the link type whose low 8 bits are known among those that a device can have.
func chooseLinkType(low uint8, found []int) (capture.LinkType, error) {
	slices.Sort(found)
	found = slices.Compact(found)
	switch len(found) {
	case 0: // libpcap lists none that fits: the number itself is all there is
		return capture.LinkType(low).Canonical(), nil
	case 1:
		return capture.LinkType(found[0]).Canonical(), nil
	}
	return 0, fmt.Errorf("link type is one of %v, which cannot be told apart", found)
}
