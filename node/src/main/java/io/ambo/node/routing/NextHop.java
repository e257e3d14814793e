package io.ambo.node.routing;

/** Where a packet goes next. A reusable holder: the worker owns one and {@link Routes} fills it. MAC addresses are the low 48 bits. */
public final class NextHop {
    /** The interface of the config it leaves through; its port, VLAN, zone, MAC and MTU stand there. */
    public DataInterface egress = DataInterface.NONE;
    public long destinationMac;
    /** Bytes of the largest IP packet on this route. */
    public int mtu;
}
