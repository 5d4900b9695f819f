package summarize

import "apptap/flows"

// serviceName is the IANA service name of a port, "" if it has none here. The names are compiled in: /etc/services
// differs between systems, and a report must not depend on where it was made.
func serviceName(proto flows.Protocol, port uint16) string {
	if name, ok := sharedServices[port]; ok {
		return name
	}
	switch proto {
	case flows.TCP:
		return tcpServices[port]
	case flows.UDP:
		return udpServices[port]
	}
	return ""
}

// Names of https://www.iana.org/assignments/service-names-port-numbers that ordinary hosts meet, by the protocol they are
// in use over.
var (
	sharedServices = map[uint16]string{
		53: "domain", 80: "http", 88: "kerberos", 111: "sunrpc", 389: "ldap", 443: "https", 853: "domain-s",
		1194: "openvpn", 2049: "nfs", 3389: "ms-wbt-server", 3478: "stun", 5060: "sip", 5061: "sips", 5355: "llmnr",
	}
	tcpServices = map[uint16]string{
		20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 43: "nicname", 79: "finger", 110: "pop3",
		119: "nntp", 139: "netbios-ssn", 143: "imap", 179: "bgp", 445: "microsoft-ds", 465: "submissions",
		515: "printer", 548: "afpovertcp", 554: "rtsp", 587: "submission", 631: "ipp", 636: "ldaps", 873: "rsync",
		989: "ftps-data", 990: "ftps", 993: "imaps", 995: "pop3s", 1080: "socks", 1433: "ms-sql-s", 1883: "mqtt",
		2375: "docker", 2376: "docker-s", 2379: "etcd-client", 2380: "etcd-server", 3260: "iscsi-target",
		3306: "mysql", 3690: "svn", 5222: "xmpp-client", 5269: "xmpp-server", 5432: "postgresql",
		5671: "amqps", 5672: "amqp", 5900: "rfb", 5984: "couchdb", 6379: "redis", 8080: "http-alt",
		8443: "pcsync-https", 8883: "secure-mqtt", 9418: "git", 11211: "memcache", 27017: "mongodb",
	}
	udpServices = map[uint16]string{
		67: "bootps", 68: "bootpc", 69: "tftp", 123: "ntp", 137: "netbios-ns", 138: "netbios-dgm", 161: "snmp",
		162: "snmptrap", 500: "isakmp", 514: "syslog", 546: "dhcpv6-client", 547: "dhcpv6-server", 1701: "l2tp",
		1812: "radius", 1813: "radius-acct", 1900: "ssdp", 3702: "ws-discovery", 4500: "ipsec-nat-t", 4789: "vxlan",
		5349: "stuns", 5351: "nat-pmp", 5353: "mdns", 5683: "coap",
	}
)
