package pidmap

import "apptap/pidmap/bpf"

// maxShared bounds the sockets whose users' shares are kept up to date, and maxUsers their users.
const (
	maxShared = 16384
	maxUsers  = 64
)

// sharedSocket is an open socket with several users, whose shares change as long as it is open.
type sharedSocket struct {
	socket Socket
	first  bpf.User // whose bytes of before are base
	base   bpf.Moved
	users  map[bpf.User]Process
}

// share takes in one of several users of a socket.
func (t *translator) share(dst []Event, told Event, e *bpf.Event) []Event {
	s := t.shared[e.Socket.Cookie]
	if s == nil {
		if len(t.shared) == maxShared {
			return append(dst, told)
		}
		s = &sharedSocket{users: map[bpf.User]Process{}}
		t.shared[e.Socket.Cookie] = s
	}
	s.socket = told.Socket
	if e.Socket.First {
		s.first = e.Process.User
		s.base = bpf.Moved{Tx: e.Socket.Tx, Rx: e.Socket.Rx}
	}
	if len(s.users) < maxUsers {
		s.users[e.Process.User] = told.Process
	}
	told.Moved = t.sharedBy(s, e.Process.User)
	return append(dst, told)
}

// sharedBy is what one of the users of s has moved.
func (t *translator) sharedBy(s *sharedSocket, u bpf.User) Moved {
	m := t.movedBy(s.socket.Cookie, u)
	if u == s.first {
		m.Tx += s.base.Tx
		m.Rx += s.base.Rx
	}
	return m
}

func (t *translator) movedBy(cookie uint64, u bpf.User) Moved {
	if t.moved == nil {
		return Moved{}
	}
	m, _ := t.moved(cookie, u)
	return Moved(m)
}

// shares tells what each user of a shared socket has moved.
func (t *translator) shares(dst []Event, s *sharedSocket, now int64) []Event {
	for u, p := range s.users {
		dst = append(dst, Event{Kind: SocketUsed, Time: now, Method: MethodEBPF, Socket: s.socket,
			Process: p, User: UserKey(u), Moved: t.sharedBy(s, u)})
	}
	return dst
}

// current tells the shares of now of all shared sockets.
func (t *translator) current(dst []Event, now int64) []Event {
	for _, s := range t.shared {
		dst = t.shares(dst, s, now)
	}
	return dst
}
