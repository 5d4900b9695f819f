package summarize

import (
	"reflect"
	"testing"

	"apptap/flows"
	"apptap/pidmap"
)

// TestFlowOrderSeesEveryField guards the order of equal flows: a field of flows.Flow that compareFlows leaves out would let the
// order of the input reach the output.
func TestFlowOrderSeesEveryField(t *testing.T) {
	var a, b flows.Flow
	eachField(reflect.ValueOf(&b).Elem(), "Flow", func(name string) {
		if compareFlows(&a, &b) == 0 || compareFlows(&a, &b) != -compareFlows(&b, &a) {
			t.Errorf("flows that differ in %s alone have no order", name)
		}
	})
	a.Pieces, b.Pieces = make([]flows.Piece, 1), make([]flows.Piece, 1)
	eachField(reflect.ValueOf(&b.Pieces[0]).Elem(), "Piece", func(name string) {
		if compareFlows(&a, &b) == 0 || compareFlows(&a, &b) != -compareFlows(&b, &a) {
			t.Errorf("flows that differ in %s alone have no order", name)
		}
	})
	a.Timing, b.Timing = new(flows.Timing), new(flows.Timing)
	eachField(reflect.ValueOf(b.Timing).Elem(), "Timing", func(name string) {
		if compareFlows(&a, &b) == 0 || compareFlows(&a, &b) != -compareFlows(&b, &a) {
			t.Errorf("flows that differ in %s alone have no order", name)
		}
	})
}

// eachField calls visit with one plain value below v after the other set to something else.
func eachField(v reflect.Value, name string, visit func(name string)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			eachField(v.Field(i), name+"."+v.Type().Field(i).Name, visit)
		}
		return
	case reflect.Array:
		for i := range v.Len() {
			eachField(v.Index(i), name, visit)
		}
		return
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
	visit(name)
	v.SetZero()
}

// TestTurnedFlowsKeepTheOrder has two flows that differ only in their keys, of which the first is turned round.
func TestTurnedFlowsKeepTheOrder(t *testing.T) {
	low := key(flows.TCP, "127.0.0.1:1000", "127.0.0.1:9000")
	high := key(flows.TCP, "127.0.0.1:2000", "127.0.0.1:8000")
	known := owners{low.Reverse(): ownedBy("a", 1), high: ownedBy("a", 1)}
	var in []flows.Flow
	for _, k := range []flows.Key{low, high} {
		in = append(in, flows.Flow{Key: k, Locality: flows.LocalBoth, Counts: flows.Counts{TxBytes: 60}})
	}
	s := Build(Input{Flows: in, Live: true, Owner: known.Owner})
	if got := s.Flows[0].Flow.Key; got != high {
		t.Errorf("first flow = %v, want %v: the other one is %v now", got, high, low.Reverse())
	}
	if s.Unattributed.Flows != 0 || s.Apps[0].Methods[pidmap.MethodSockDiag] != 120 {
		t.Errorf("unattributed = %+v, methods = %v, want all of it the app's", s.Unattributed, s.Apps[0].Methods)
	}
}
