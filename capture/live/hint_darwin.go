package live

func permissionHint(iface, _ string) string { return darwinHint(iface) }
