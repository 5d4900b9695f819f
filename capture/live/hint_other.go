//go:build !linux && !darwin

package live

func permissionHint(iface, _ string) string { return "sudo apptap capture -i " + shellWord(iface) }
