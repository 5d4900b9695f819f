package ntstat

import (
	"bytes"
	"testing"
)

// TestAnonymise: of a message of a real kernel nothing is left that tells whose it was, and it is of the same layout still.
func TestAnonymise(t *testing.T) {
	m := recorded(t, "src_desc_tcp_macos27_arm64.hex")
	before, err := Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	b := Anonymise(m)
	for _, secret := range [][]byte{[]byte("curl"), {10, 9, 8, 151}, {104, 20, 23, 154}} {
		if !bytes.Contains(m.Body, secret) || bytes.Contains(b, secret) {
			t.Errorf("%q is still there, or never was", secret)
		}
	}
	after, err := Decode(single(t, b))
	if err != nil || after.PID != before.PID || after.Key.Local.Port != before.Key.Local.Port || after.Name != "xxxx" || after.State != before.State {
		t.Errorf("got %+v, %v; want what is no secret of %+v", after, err, before)
	}
	if p, size, ok := DescriptorSize(m); !ok || p != TCPKernel || size != 360 {
		t.Errorf("descriptor of provider %d with %d bytes, %v; want one of %d with 360", p, size, ok, TCPKernel)
	}
	if !bytes.Equal(m.Body, recorded(t, "src_desc_tcp_macos27_arm64.hex").Body) {
		t.Error("the message itself was changed")
	}
}

// FuzzAnonymise: header and length stay, no text but x is left, and to do it twice changes nothing.
func FuzzAnonymise(f *testing.F) {
	f.Add(recorded(f, "src_desc_tcp_macos27_arm64.hex").Body)
	f.Add(AppendUpdate(nil, sample(UDPUser), 280, 0))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := Anonymise(Message{Body: body})
		if len(b) != len(body) || len(b) > headerSize && !bytes.Equal(b[:headerSize], body[:headerSize]) {
			t.Fatalf("%d bytes of %d, or another header", len(b), len(body))
		}
		if len(b) <= headerSize {
			return
		}
		run := 0
		for _, c := range b[headerSize:] {
			if run++; c < ' ' || c > '~' {
				run = 0
			}
			if run >= 3 && c != 'x' {
				t.Fatalf("text is left: %q", b)
			}
		}
		if again := Anonymise(Message{Body: b}); !bytes.Equal(again, b) {
			t.Fatalf("again: %x of %x", again, b)
		}
	})
}
