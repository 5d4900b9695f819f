package session

import "testing"

func TestPartsWords(t *testing.T) {
	for _, tt := range []struct {
		list []span
		want string
	}{
		{[]span{{0, 0}}, "file 1 of the run is"},
		{[]span{{0, 2}}, "files 1 to 3 of the run are"},
		{[]span{{2, 2}, {4, 6}}, "files 3 and 5 to 7 of the run are"},
		{[]span{{2, 2}, {4, 6}, {12, 12}}, "files 3, 5 to 7 and 13 of the run are"},
		{[]span{{0, 0}, {2, 2}, {4, 4}, {6, 6}, {8, 8}, {10, 10}, {12, 12}, {14, 14}, {16, 16}}, "files 1, 3, 5, 7, 9, 11, 13, 15 and others of the run are"},
	} {
		if got := parts(tt.list...); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.list, got, tt.want)
		}
	}
}
