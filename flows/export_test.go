package flows

// WithoutSigns is o without what its payload's own bytes tell, which may have been cut off.
func (o Observation) WithoutSigns() Observation {
	o.signs = 0
	return o
}
