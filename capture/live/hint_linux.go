package live

func permissionHint(iface, executable string) string { return linuxHint(iface, executable) }
