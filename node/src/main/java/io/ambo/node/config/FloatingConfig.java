package io.ambo.node.config;

import io.ambo.cluster.address.IpAddress;

/**
 * An entry of addresses: one member has it at a time.
 *
 * @param prefixLength  as it is written: 24 for 203.0.113.1/24
 * @param interfaceName the data interface that it stands on
 * @param prefer        the member that has it when it can; empty: whoever has it keeps it
 */
public record FloatingConfig(IpAddress address, int prefixLength, String interfaceName, String prefer) {
    /** As it is written. */
    public String text() { return address + "/" + prefixLength; }
}
