package main

import (
	"slices"
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
	var apps, destinations []string
	for _, w := range byWords() {
		if w.apps != "" {
			apps = append(apps, w.word)
		} else {
			destinations = append(destinations, w.word)
		}
	}
	return strings.Join(apps, ", ") + " of apps; " + strings.Join(destinations, ", ") + " of destinations"
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
	var apps, destinations []string
	for word := range strings.SplitSeq(o.by, ",") {
		at := slices.IndexFunc(byWords(), func(w byWord) bool { return w.word == word })
		switch {
		case at < 0:
			return g, usageError("--by %q: want %s", word, byUsage())
		case byWords()[at].apps != "":
			apps = append(apps, word)
		default:
			destinations = append(destinations, word)
			g.By = byWords()[at].destinations
		}
	}
	switch {
	case len(apps) > 1:
		return g, usageError("--by %s: apps are told apart in one way at a time: want %s", o.by, byUsage())
	case len(destinations) > 1:
		return g, usageError("--by %s: destinations are told apart in one way at a time: want %s", o.by, byUsage())
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
