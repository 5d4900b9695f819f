package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
)

// takerMain sends datagrams from a port that others have had before: taker LOCAL PEER COUNT SIZE connected|unconnected.
func takerMain() {
	count, _ := strconv.Atoi(os.Args[3])
	size, _ := strconv.Atoi(os.Args[4])
	if err := take(netip.MustParseAddrPort(os.Args[1]), netip.MustParseAddrPort(os.Args[2]), count, size, os.Args[5] == "connected"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func take(local, peer netip.AddrPort, count, size int, connected bool) error {
	var c *net.UDPConn
	var err error
	if connected {
		c, err = net.DialUDP("udp4", net.UDPAddrFromAddrPort(local), net.UDPAddrFromAddrPort(peer))
	} else {
		c, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(local))
	}
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range count {
		b := make([]byte, size)
		binary.BigEndian.PutUint64(b, uint64(i)) // the lossy capture loses by what is in a packet
		if connected {
			_, err = c.Write(b)
		} else {
			_, err = c.WriteToUDPAddrPort(b, peer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
