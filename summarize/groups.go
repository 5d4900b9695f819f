package summarize

// groups keeps one value for each key, in the order in which the keys came: ranging over a map would let
// its order reach the output. The zero value is empty.
type groups[K comparable, V any] struct {
	index map[K]int
	list  []V
}

// at returns the value of key, zero if it is new. The pointer is valid until the next call.
func (g *groups[K, V]) at(key K) *V { return &g.list[g.indexOf(key)] }

func (g *groups[K, V]) has(key K) bool {
	_, ok := g.index[key]
	return ok
}

// indexOf is the place of key's value in the list, which stays the same.
func (g *groups[K, V]) indexOf(key K) int {
	i, ok := g.index[key]
	if !ok {
		if g.index == nil {
			g.index = make(map[K]int)
		}
		i = len(g.list)
		g.index[key] = i
		var zero V
		g.list = append(g.list, zero)
	}
	return i
}
