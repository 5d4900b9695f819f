// Package usage reads reports of apptap as rows, one for each app and destination, holds them against rules, and
// compares two of them. Its functions are pure and may be called by several goroutines.
package usage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"apptap/internal/jsonwords"
)

// Schema is what reports say that they are.
const Schema = "apptap.report/1"

// Unattributed is the app of rows that have none.
const Unattributed = "unattributed"

// ErrReport is wrapped by the errors for what is no report.
var ErrReport = errors.New("no report of apptap")

// Report is what a report says of apps and destinations.
type Report struct {
	Rows []Row // by app, then as the report has them
}

// Row is what an app exchanged with a destination. The destinations of an app that its report only sums up are one row
// without a name.
type Row struct {
	App, AppID string // name and id; Unattributed and "" for what has no owner
	Dst        string // name of the destination, "" for those that are not listed
	NameSource string
	Addresses  []string
	Proto      string
	Port       uint16
	Service    string
	Inbound    bool // the destination opened the connections
	Amounts
}

// Amounts are what is counted of a row: frame bytes, payload bytes of TCP and UDP, packets, flows.
type Amounts struct {
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxPayload uint64 `json:"tx_payload"`
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxPayload uint64 `json:"rx_payload"`
	Flows     uint64 `json:"flows"`
}

// Bytes are the frame bytes both ways.
func (a *Amounts) Bytes() uint64 { return a.TxBytes + a.RxBytes }

func (a *Amounts) add(o *Amounts) {
	a.TxPackets, a.TxBytes, a.TxPayload = a.TxPackets+o.TxPackets, a.TxBytes+o.TxBytes, a.TxPayload+o.TxPayload
	a.RxPackets, a.RxBytes, a.RxPayload = a.RxPackets+o.RxPackets, a.RxBytes+o.RxBytes, a.RxPayload+o.RxPayload
	a.Flows += o.Flows
}

// group is an app of the JSON report, or what has none.
type group struct {
	App struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"app"`
	Destinations []struct {
		Name       string   `json:"name"`
		NameSource string   `json:"name_source"`
		Addresses  []string `json:"addresses"`
		Proto      string   `json:"proto"`
		Port       uint16   `json:"port"`
		Service    string   `json:"service"`
		Inbound    bool     `json:"inbound"`
		Amounts
	} `json:"destinations"`
	Others struct {
		Destinations int `json:"destinations"`
		Amounts
	} `json:"other_destinations"`
}

// Read reads a report in JSON. An error wraps ErrReport if it is none.
func Read(r io.Reader) (*Report, error) {
	var told struct {
		Schema       string  `json:"schema"`
		Apps         []group `json:"apps"`
		Unattributed group   `json:"unattributed"`
	}
	if err := json.NewDecoder(r).Decode(&told); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrReport, jsonwords.Of(err))
	}
	if told.Schema != Schema {
		return nil, fmt.Errorf("%w: its schema is %q, want %q", ErrReport, told.Schema, Schema)
	}
	var report Report
	for i := range told.Apps {
		report.add(&told.Apps[i])
	}
	told.Unattributed.App.Name = Unattributed
	report.add(&told.Unattributed)
	return &report, nil
}

func (r *Report) add(g *group) {
	for i := range g.Destinations {
		d := &g.Destinations[i]
		r.Rows = append(r.Rows, Row{
			App: g.App.Name, AppID: g.App.ID, Dst: d.Name, NameSource: d.NameSource, Addresses: slices.Clone(d.Addresses),
			Proto: d.Proto, Port: d.Port, Service: d.Service, Inbound: d.Inbound, Amounts: d.Amounts,
		})
	}
	if g.Others.Destinations > 0 {
		r.Rows = append(r.Rows, Row{App: g.App.Name, AppID: g.App.ID, Amounts: g.Others.Amounts})
	}
}
