package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"apptap/capture"
	"apptap/internal/anonymize"
	"apptap/internal/pipeline"
)

// keptFlags say what of packets is written to a file.
type keptFlags struct {
	headers   bool // no more than a report needs
	anonymize bool
	keyFile   string
}

func (f *keptFlags) register(flags *pflag.FlagSet, prefix string) {
	flags.BoolVar(&f.headers, "headers", false, prefix+"write handshakes, DNS and what states names whole, and of the rest the headers; the report of the file is the same")
	flags.BoolVar(&f.anonymize, "anonymize", false, prefix+"replace addresses so that common prefixes stay common, and leave payload, names and arguments out")
	flags.StringVar(&f.keyFile, "anonymize-key", "", "with --anonymize: replace by the key in `FILE`, 64 hexadecimal digits, and not by a random one")
}

func (f *keptFlags) check() error {
	if f.keyFile != "" && !f.anonymize {
		return usageError("--anonymize-key is about --anonymize: give that too")
	}
	return nil
}

func (f *keptFlags) given() bool { return f.headers || f.anonymize }

// mapper replaces addresses, nil if they stay.
func (f *keptFlags) mapper() (*anonymize.Mapper, error) {
	if !f.anonymize {
		return nil, nil
	}
	if f.keyFile == "" {
		key := make([]byte, anonymize.KeyBytes)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("make a key: %w", err)
		}
		return anonymize.New(key)
	}
	text, err := readStart(f.keyFile, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", f.keyFile, pathCause(err))
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != anonymize.KeyBytes {
		return nil, withHint(fmt.Errorf("read key %s: want %d hexadecimal digits", f.keyFile, 2*anonymize.KeyBytes), "make one with: openssl rand -hex 32")
	}
	return anonymize.New(key)
}

// maxKeyFile is more than a key and the space around it need, in bytes.
const maxKeyFile = 4096

// readStart reads a file up to a number of bytes: /dev/zero has no end.
func readStart(name string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

// recording is what a run writes its packets and all else to.
type recording interface {
	pipeline.Recorder
	pipeline.Journal
	WriteLacks(degraded []string) error
}

// anonymized is to with addresses replaced by m, if any.
func anonymized(m *anonymize.Mapper, to recording) recording {
	if m == nil {
		return to
	}
	return anonymize.NewRecorder(m, to)
}

func anonymizedInterfaces(m *anonymize.Mapper, list []capture.Interface) []capture.Interface {
	if m == nil {
		return list
	}
	var out []capture.Interface
	for _, i := range list {
		out = append(out, m.Interface(i))
	}
	return out
}

func anonymizedFilter(m *anonymize.Mapper, filter string) string {
	if m == nil {
		return filter
	}
	return anonymize.FilterOf(filter)
}
