package report

import (
	"strings"
	"testing"
)

func TestHTMLNeedsNothingElse(t *testing.T) {
	for name, s := range sampleSummaries() {
		got := rendered(t, s, Options{Format: HTML})
		for _, bad := range []string{"<script", "src=", "href=", "url(", "@import", "<link", "<iframe", "onload="} {
			if strings.Contains(got, bad) {
				t.Errorf("%s: the page has %q", name, bad)
			}
		}
	}
}

func TestHTMLKeepsNamesText(t *testing.T) {
	got := rendered(t, hostileSummary(`<script>alert(1)</script>`, `"><img src=x>`), Options{Format: HTML})
	if want := "&lt;script&gt;alert(1)&lt;/script&gt;"; !strings.Contains(got, want) {
		t.Errorf("the page does not show %s", want)
	}
	if strings.Contains(got, "<img") {
		t.Error("a name became a tag")
	}
}
