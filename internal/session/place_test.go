package session

import (
	"encoding/json"
	"reflect"
	"testing"

	"apptap/pidmap"
)

func TestPlaceSurvives(t *testing.T) {
	entry := pidmap.DesktopEntry{ID: "org.x.Maps", Name: "Maps"}
	want := pidmap.Process{
		Key: pidmap.ProcessKey{PID: 7, Start: 9}, Path: "/usr/bin/maps", Cgroup: "/a", Beside: true, AppImage: "/b", Flatpak: "c", Container: "d", Desktop: entry,
		Ancestors: []pidmap.Ancestor{{Key: pidmap.ProcessKey{PID: 6, Start: 8}, Path: "/e", Cmdline: []string{"e", ""}, Desktop: entry}},
	}
	b, err := json.Marshal(processRecordOf(1, &want))
	if err != nil {
		t.Fatal(err)
	}
	var r processRecord
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if got := r.process(); !reflect.DeepEqual(got, want) {
		t.Errorf("process = %+v, want %+v", got, want)
	}
}
