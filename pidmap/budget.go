package pidmap

import "time"

const (
	// scanShare is the part of one core that scanning may take.
	scanShare = 0.25
	// scanGap is the least time between the beginnings of two scans.
	scanGap = 4 * time.Millisecond
	// scanBurst is how much scanning time can be saved up: some ten scans of a quiet host in a row.
	scanBurst = 40 * time.Millisecond
)

// budget says when the next scan may begin. Scan time is earned as time goes by and spent by scanning.
type budget struct {
	credit  time.Duration
	updated time.Time
	began   time.Time
}

// next is the earliest time for a scan.
func (b *budget) next(now time.Time) time.Time {
	b.earn(now)
	at := b.began.Add(scanGap)
	if b.credit < 0 {
		if paid := now.Add(time.Duration(float64(-b.credit) / scanShare)); paid.After(at) {
			at = paid
		}
	}
	return at
}

// spend accounts for a scan that lasted from began to ended.
func (b *budget) spend(began, ended time.Time) {
	b.earn(ended)
	b.credit -= ended.Sub(began)
	b.began = began
}

func (b *budget) earn(now time.Time) {
	if b.updated.IsZero() {
		b.credit = scanBurst
	} else if d := now.Sub(b.updated); d > 0 {
		b.credit = min(b.credit+time.Duration(float64(d)*scanShare), scanBurst)
	}
	b.updated = now
}
