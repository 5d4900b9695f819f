package main

import (
	"strings"

	"apptap/internal/places"
	"apptap/pidmap"
	"apptap/summarize"
)

// byWord is a value of --by: what apps or destinations are told apart by. The flag takes one of each, with a comma between.
type byWord struct {
	word         string
	apps         pidmap.By // "" for a word of destinations
	destinations summarize.GroupBy
}

// byWords are all of them, those of apps and those of destinations.
func byWords() []byWord {
	return []byWord{
		{word: "app", apps: pidmap.ByApp},
		{word: "process", apps: pidmap.ByProcess},
		{word: "executable", apps: pidmap.ByExecutable},
		{word: "unit", apps: pidmap.ByUnit},
		{word: "container", apps: pidmap.ByContainer},
		{word: "user", apps: pidmap.ByUser},
		{word: "name", destinations: summarize.ByName},
		{word: "domain", destinations: summarize.ByDomain},
		{word: "address", destinations: summarize.ByAddress},
		{word: "asn", destinations: summarize.ByNetwork},
		{word: "country", destinations: summarize.ByCountry},
	}
}

func byUsage() string {
	var words []string
	for _, w := range byWords() {
		words = append(words, w.word)
	}
	return strings.Join(words, ", ")
}

// appsBy is what --by says of apps.
func (o *outputFlags) appsBy() pidmap.By {
	by := pidmap.ByApp
	for word := range strings.SplitSeq(o.by, ",") {
		for _, w := range byWords() {
			if w.word == word && w.apps != "" {
				by = w.apps
			}
		}
	}
	return by
}

// grouping is what --by and --mmdb say of destinations. The file stays open as long as the process.
func (o *outputFlags) grouping() (g summarize.Grouping, err error) {
	for word := range strings.SplitSeq(o.by, ",") {
		known := false
		for _, w := range byWords() {
			if w.word != word {
				continue
			}
			if known = true; w.apps == "" {
				g.By = w.destinations
			}
		}
		if !known && word != "" {
			return g, usageError("--by %s: want %s", word, byUsage())
		}
	}
	if g.By != summarize.ByNetwork && g.By != summarize.ByCountry {
		if o.mmdb != "" {
			return g, usageError("--mmdb goes with --by asn or --by country")
		}
		return g, nil
	}
	if o.mmdb == "" {
		return g, usageError("--by %s wants --mmdb FILE, a local database of addresses in MaxMind's format: none is ever fetched", o.by)
	}
	database, err := places.Open(o.mmdb)
	if err != nil {
		return g, withHint(err, "GeoLite2, DB-IP and IPinfo publish files in MaxMind's format")
	}
	if g.Place = database.Network; g.By == summarize.ByCountry {
		g.Place = database.Country
	}
	return g, nil
}
