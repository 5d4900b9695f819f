package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"apptap/summarize"
)

// noDestinations is what the encoder makes of an empty list. A string of the report cannot contain it: its quotes
// would be escaped.
const noDestinations = `"destinations": []`

// spliceDestinations writes text, in which all lists of destinations are empty, with these lists in their place. Lists
// are long, and encoding/json reflects on each destination and then goes over its text again to indent it.
func spliceDestinations(out io.Writer, text []byte, s *summarize.Summary) (rest []byte, err error) {
	for i := range len(s.Apps) + 1 {
		list := s.Unattributed.Destinations
		if i < len(s.Apps) {
			list = s.Apps[i].Destinations
		}
		at := bytes.Index(text, []byte(noDestinations))
		end := at + len(noDestinations)
		if len(list) > 0 {
			_, err = out.Write(text[:end-len("]")])
		} else {
			_, err = out.Write(text[:end])
		}
		if err == nil {
			indent := text[bytes.LastIndexByte(text[:at], '\n'):at]
			err = writeDestinations(out, string(indent), list)
		}
		if err != nil {
			return nil, err
		}
		text = text[end:]
	}
	return text, nil
}

// writeDestinations writes what follows the [ of a list whose field stands behind indent, a line feed and spaces.
func writeDestinations(out io.Writer, indent string, list []summarize.Destination) error {
	const flushed = 64 << 10
	var b []byte
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDestination(append(b, indent+"  "...), indent+"    ", &list[i])
		if i == len(list)-1 {
			b = append(append(b, indent...), ']')
		} else if len(b) < flushed {
			continue
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	return nil
}

// appendDestination appends what encoding/json makes of jsonDestinationOf(d).
func appendDestination(b []byte, indent string, d *summarize.Destination) []byte {
	key := func(name string) {
		b = append(append(append(append(b, indent...), '"'), name...), `": `...)
	}
	text := func(name, value string) { key(name); b = append(appendText(b, value), ',') }
	number := func(name string, n uint64) { key(name); b = append(strconv.AppendUint(b, n, 10), ',') }
	b = append(b, '{')
	text("name", d.Name)
	text("name_source", d.NameSource)
	key("addresses")
	b = append(b, '[')
	for i, a := range d.Addresses {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, indent+"  "...), a.String())
	}
	if len(d.Addresses) > 0 {
		b = append(b, indent...)
	}
	b = append(b, "],"...)
	text("proto", d.Proto.String())
	number("port", uint64(d.Port))
	text("service", d.Service)
	key("inbound")
	b = append(strconv.AppendBool(b, d.Inbound), ',')
	text("peer_app", d.PeerApp)
	number("tx_packets", d.TxPackets)
	number("tx_bytes", d.TxBytes)
	number("tx_payload", d.TxPayload)
	number("rx_packets", d.RxPackets)
	number("rx_bytes", d.RxBytes)
	number("rx_payload", d.RxPayload)
	key("flows")
	b = append(strconv.AppendInt(b, int64(d.Flows), 10), ',')
	key("times")
	b = appendTimes(b, indent, d.Times)
	return append(append(b, indent[:len(indent)-2]...), '}')
}

// appendText appends a JSON string. What is not plain ASCII is encoding/json's to escape.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			var escaped bytes.Buffer
			encoder := json.NewEncoder(&escaped)
			encoder.SetEscapeHTML(false)
			_ = encoder.Encode(s) // a string and a buffer have no errors
			return append(b, bytes.TrimSuffix(escaped.Bytes(), []byte("\n"))...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
