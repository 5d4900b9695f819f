package anonymize

import (
	"strconv"

	"apptap/capture"
)

// owner is what stays of what a packet says of its owner. The same processes stay the same pointers as far as they were: the file
// has a block for each.
func (r *Recorder) owner(o *capture.Owner) *capture.Owner {
	if o == nil {
		return nil
	}
	out := *o
	out.Process, out.Effective = r.described(o.Process), r.described(o.Effective)
	return &out
}

// maxDescribed bounds the processes remembered; beyond it all are described again.
const maxDescribed = 16384

func (r *Recorder) described(p *capture.Process) *capture.Process {
	if p == nil {
		return nil
	}
	if known := r.owners[p]; known != nil {
		return known
	}
	if r.owners == nil || len(r.owners) >= maxDescribed {
		r.owners = map[*capture.Process]*capture.Process{}
	}
	q := &capture.Process{
		PID: p.PID, Name: r.frames.Text(p.Name), Path: r.frames.Text(p.Path), StartTime: p.StartTime, PPID: p.PPID, UID: p.UID,
	}
	if p.User != "" {
		q.User = strconv.FormatUint(uint64(p.UID), 10)
	}
	r.owners[p] = q
	return q
}
