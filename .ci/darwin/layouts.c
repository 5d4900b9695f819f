// Holds the offsets, sizes and constants that apptap reads macOS's bytes by against the headers of an SDK. It is compiled, never
// run. What no public header declares is not here: PKTAP, ntstat, pcblist_n (docs/macos.md).
#include <errno.h>
#include <libproc.h>
#include <net/if.h>
#include <net/if_var.h>
#include <netinet/in.h>
#include <pcap.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/kern_control.h>
#include <sys/proc_info.h>
#include <sys/socket.h>

#define SIZE(type, n) _Static_assert(sizeof(type) == (n), "sizeof(" #type ") is not " #n)
#define AT(type, field, n) _Static_assert(offsetof(type, field) == (n), "offset of " #type "." #field " is not " #n)
#define IS(value, n) _Static_assert((value) == (n), #value " is not " #n)

// pidmap/libproc/libproc.go
SIZE(struct proc_fdinfo, 8);
AT(struct proc_fdinfo, proc_fd, 0);
AT(struct proc_fdinfo, proc_fdtype, 4);
IS(PROX_FDTYPE_SOCKET, 2);
SIZE(struct proc_bsdinfo, 136);
AT(struct proc_bsdinfo, pbi_pid, 12);
AT(struct proc_bsdinfo, pbi_ppid, 16);
AT(struct proc_bsdinfo, pbi_uid, 20);
AT(struct proc_bsdinfo, pbi_comm, 48);
AT(struct proc_bsdinfo, pbi_name, 64);
AT(struct proc_bsdinfo, pbi_start_tvsec, 120);
AT(struct proc_bsdinfo, pbi_start_tvusec, 128);
SIZE(struct proc_bsdshortinfo, 64);
AT(struct proc_bsdshortinfo, pbsi_pid, 0);
AT(struct proc_bsdshortinfo, pbsi_ppid, 4);
AT(struct proc_bsdshortinfo, pbsi_comm, 16);
AT(struct proc_bsdshortinfo, pbsi_uid, 36);
IS(PROC_PIDPATHINFO_MAXSIZE, 4096);

// pidmap/libproc/socket.go
SIZE(struct socket_fdinfo, 792);
AT(struct socket_fdinfo, psi.soi_protocol, 180);
AT(struct socket_fdinfo, psi.soi_family, 184);
AT(struct socket_fdinfo, psi.soi_kind, 256);
AT(struct socket_fdinfo, psi.soi_proto, 264);
AT(struct socket_fdinfo, psi.soi_proto.pri_tcp.tcpsi_ini, 264);
AT(struct socket_fdinfo, psi.soi_proto.pri_tcp.tcpsi_state, 344);
AT(struct in_sockinfo, insi_fport, 0);
AT(struct in_sockinfo, insi_lport, 4);
AT(struct in_sockinfo, insi_gencnt, 8);
AT(struct in_sockinfo, insi_vflag, 24);
AT(struct in_sockinfo, insi_faddr, 32);
AT(struct in_sockinfo, insi_faddr.ina_46.i46a_addr4, 44);
AT(struct in_sockinfo, insi_laddr, 48);
AT(struct in_sockinfo, insi_laddr.ina_46.i46a_addr4, 60);
IS(INI_IPV4, 1);
IS(INI_IPV6, 2);
IS(SOCKINFO_IN, 1);
IS(SOCKINFO_TCP, 2);
IS(TSI_S_LISTEN, 1);
IS(TSI_S_TIME_WAIT, 10);
IS(AF_INET, 2);
IS(AF_INET6, 30);

// pidmap/macprocs.go
IS(PROC_ALL_PIDS, 1);
IS(PROC_PIDLISTFDS, 1);
IS(PROC_PIDTBSDINFO, 3);
IS(PROC_PIDFDSOCKETINFO, 3);
IS(PROC_PIDPATHINFO, 11);
IS(PROC_PIDT_SHORTBSDINFO, 13);

// pidmap/controlsocket_darwin.go, pidmap/macflows.go, pidmap/ntstat/descriptor.go
IS(AF_SYSTEM, 32);
SIZE(struct sockaddr_ctl, 32);
SIZE(struct ctl_info, 100);
IS(CTLIOCGINFO, 0xc0644e03);
IS(ENOBUFS, 55);
SIZE(struct sockaddr_in, 16);
SIZE(struct sockaddr_in6, 28);
AT(struct sockaddr_in, sin_port, 2);
AT(struct sockaddr_in, sin_addr, 4);
AT(struct sockaddr_in6, sin6_addr, 8);

// summarize/kernel/ifmib.go: struct if_data64, which stands at the end of struct ifmibdata
SIZE(struct if_data64, 128);
AT(struct if_data64, ifi_type, 0);
AT(struct if_data64, ifi_ipackets, 24);
AT(struct if_data64, ifi_ierrors, 32);
AT(struct if_data64, ifi_opackets, 40);
AT(struct if_data64, ifi_oerrors, 48);
AT(struct if_data64, ifi_ibytes, 64);
AT(struct if_data64, ifi_obytes, 72);
AT(struct if_data64, ifi_iqdrops, 96);
IS(IF_NAMESIZE, 16);

// capture/linktype.go
IS(DLT_NULL, 0);
IS(DLT_EN10MB, 1);
IS(DLT_RAW, 12);
IS(DLT_USER2, 149);
