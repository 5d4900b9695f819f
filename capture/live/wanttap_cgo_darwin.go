//go:build cgo

package live

/*
#include <dlfcn.h>
#include <stddef.h>

typedef int (*want_pktap)(void *, int);

static want_pktap find_want_pktap(void) { return (want_pktap)dlsym(RTLD_DEFAULT, "pcap_set_want_pktap"); }

static int set_want_pktap(want_pktap f, void *handle) { return f(handle, 1); }
*/
import "C"

import (
	"errors"
	"fmt"

	"github.com/google/gopacket/pcap"
)

// wantTap asks for the headers that name processes, before activation. Apple's libpcap has the function and declares it in no
// header; that of Homebrew has it not.
func wantTap(inactive *pcap.InactiveHandle) error {
	f := C.find_want_pktap()
	if f == nil {
		return errors.New("this libpcap has no pcap_set_want_pktap: it is not Apple's")
	}
	handle, err := handleOf(inactive)
	if err != nil {
		return err
	}
	if code := C.set_want_pktap(f, handle); code != 0 {
		return fmt.Errorf("pcap_set_want_pktap: error %d", int(code))
	}
	return nil
}
