/** What the kernel says when a setting of `net.ipv4.conf` or `net.ipv6.conf` changes: forwarding, rp_filter and a few more.
 *  @see linux/netconf.h */
export const RTM_NEWNETCONF = 80;
export const RTM_DELNETCONF = 81;
