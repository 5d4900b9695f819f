package live

import (
	"io/fs"
	"strconv"
	"strings"

	"apptap/capture"
)

// Hardware types of linux/if_arp.h, as /sys/class/net/NAME/type prints them.
const (
	arphrdEthernet = 1
	arphrdPPP      = 512
	arphrdTunnel   = 768
	arphrdTunnel6  = 769
	arphrdLoopback = 772
	arphrdSIT      = 776
	arphrdGRE      = 778
	arphrdMonitor  = 803 // 802.11 with radiotap
	arphrdGRE6     = 823
	arphrdNone     = 65534 // tun and WireGuard
)

// describeLinux fills in what sysfs under root, which is / with sys in it, says about row's interface.
func describeLinux(root fs.FS, row *InterfaceRow) {
	dir := "sys/class/net/" + row.Name + "/"
	text, err := fs.ReadFile(root, dir+"type")
	if err != nil {
		return
	}
	kind, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return
	}
	row.LinkType, row.LinkTypeKnown = linuxLinkType(kind)
	row.Wireless = present(root, dir+"wireless") || present(root, dir+"phy80211")
	// A tap device is Ethernet to everyone but has tun_flags; a modem or a network card has a device.
	row.Tunnel = !present(root, dir+"device") && (isTunnelType(kind) || present(root, dir+"tun_flags"))
}

func present(root fs.FS, path string) bool {
	_, err := fs.Stat(root, path)
	return err == nil
}

func isTunnelType(kind int) bool {
	switch kind {
	case arphrdPPP, arphrdTunnel, arphrdTunnel6, arphrdSIT, arphrdGRE, arphrdGRE6, arphrdNone:
		return true
	}
	return false
}

// linuxLinkType is what libpcap makes of a hardware type (pcap-linux.c, map_arphrd_to_dlt), as far as
// it does not depend on more than the type.
func linuxLinkType(kind int) (capture.LinkType, bool) {
	switch kind {
	case arphrdEthernet, arphrdLoopback:
		return capture.LinkTypeEthernet, true
	case arphrdTunnel, arphrdTunnel6, arphrdSIT, arphrdNone:
		return capture.LinkTypeRaw, true
	case arphrdMonitor:
		return capture.LinkTypeIEEE80211Radio, true
	}
	return 0, false
}
