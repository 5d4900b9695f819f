package names

type dtlsNames struct{}

func (q *dtlsNames) reset() {}
