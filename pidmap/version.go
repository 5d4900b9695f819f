package pidmap

import "strings"

// nixHash is how long the hash is that begins the names in /nix/store.
const nixHash = 32

// withoutVersions is a path where directories that name a version are "*": a program that is upgraded there stays one
// app. The last element is kept, python3.11 is another program than python3.12.
func withoutVersions(file string) string {
	if !strings.HasPrefix(file, "/") {
		return file
	}
	parts := strings.Split(file, "/")
	for i, part := range parts[:len(parts)-1] {
		if i == 3 && parts[1] == "nix" && parts[2] == "store" && len(part) > nixHash+1 && part[nixHash] == '-' {
			parts[i] = "*-" + withoutSuffixVersion(part[nixHash+1:])
			continue
		}
		if isVersion(part) {
			parts[i] = "*"
			continue
		}
		parts[i] = withoutSuffixVersion(part)
	}
	return strings.Join(parts, "/")
}

// withoutSuffixVersion turns app-1.2.3 into app-*.
func withoutSuffixVersion(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 && isVersion(name[i+1:]) {
		return name[:i] + "-*"
	}
	return name
}

// isVersion wants two dots, or a v and one: fewer are too often a name (site-3.11, node_18).
func isVersion(name string) bool {
	number := strings.TrimPrefix(name, "v")
	dots := strings.Count(number, ".")
	if number == "" || dots == 0 || dots == 1 && number == name {
		return false
	}
	for i, part := range strings.Split(number, ".") {
		digits := strings.TrimLeft(part, "0123456789")
		if part == "" || len(digits) == len(part) || i < 2 && digits != "" {
			return false
		}
	}
	return true
}
