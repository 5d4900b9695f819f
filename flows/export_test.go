package flows

import "apptap/capture"

// WithoutSigns is o without what its payload's own bytes tell, which may have been cut off.
func (o Observation) WithoutSigns() Observation {
	o.signs = 0
	return o
}

// Quick is what Decode tries first, and HeaderByHeader what it does else.
func (t Tunnels) Quick(p *capture.Packet, o *Observation) ([]byte, bool)  { return t.quick(p, o) }
func (t Tunnels) HeaderByHeader(p *capture.Packet, o *Observation) []byte { return t.decode(p, o) }
