package report

import (
	"strconv"
	"strings"
	"time"

	"apptap/summarize"
)

// grouped prints n with a comma between thousands: exact, so that a reader can add up a column.
func grouped[N int | int64 | uint64](n N) string {
	var digits, sign string
	if n < 0 {
		sign = "-"
		digits = strings.TrimPrefix(strconv.FormatInt(int64(n), 10), "-")
	} else {
		digits = strconv.FormatUint(uint64(n), 10)
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// rounded prints n bytes with one decimal in SI units: 1 MB is 1,000,000 bytes, as links are rated.
func rounded(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10) + " B"
	}
	units := []string{"kB", "MB", "GB", "TB", "PB", "EB"}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < len(units)-1 { // 999.95 would print as 1000.0
		value, unit = value/1000, unit+1
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + units[unit]
}

// counted is "1 flow", "1,234 flows".
func counted[N int | uint64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

// nanosTime is a time of a Summary, in UTC: the same everywhere.
func nanosTime(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }

// rfc3339 is a time of the JSON and CSV reports: RFC 3339, always nine digits of nanoseconds.
func rfc3339(nanos int64) string {
	return nanosTime(nanos).Format("2006-01-02T15:04:05.000000000Z07:00")
}

// seconds is a duration as a number of seconds, without trailing zeros.
func seconds(nanos uint64) string {
	return strconv.FormatFloat(float64(nanos)/1e9, 'f', -1, 64)
}

// lasted is a window's length in nanoseconds. Time stamps of a damaged file can lie further apart than an
// int64 can say.
func lasted(w summarize.Window) uint64 { return uint64(w.End) - uint64(w.Start) }
