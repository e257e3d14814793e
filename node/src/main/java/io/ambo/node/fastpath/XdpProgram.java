package io.ambo.node.fastpath;

import java.net.InetAddress;
import java.util.Set;

/**
 * The XDP program and its maps in the kernel. It sends TCP, UDP and ICMP that is not for this host to the workers' sockets and the rest to the kernel.
 * Nothing is pinned: when the process ends, however it ends, the interfaces are free of it.
 *
 * <p>One thread at a time (the methods are synchronized); no packet thread calls it.
 */
public final class XdpProgram implements AutoCloseable {
    /** Interfaces, and queues of each of them, that the program can tell apart. */
    public static final int MAX_PORTS = 64, MAX_QUEUES = 64;
    /** Addresses of this host of each IP version. */
    public static final int MAX_LOCAL_ADDRESSES = 4096;

    /** Where in the kernel the program runs. */
    public enum Mode {
        /** In the driver. */
        NATIVE,
        /** In the network stack, after a socket buffer was made: works with every driver, costs more. */
        GENERIC
    }

    /** Which modes attach may use. */
    public enum ModeChoice {
        NATIVE_OR_GENERIC, NATIVE_ONLY, GENERIC_ONLY
    }

    private XdpProgram() {}

    /**
     * Loads the program into the kernel. The gate is closed, no interface is attached.
     *
     * @throws io.ambo.node.sys.SysException when the kernel refuses it; the verifier's words are in the message
     */
    public static XdpProgram load() { return unbuilt(); }

    /**
     * Attaches the program to an interface.
     *
     * @param interfaceIndex the kernel's index of the device that carries the frames (below any VLAN)
     * @param port           0 to {@link #MAX_PORTS} - 1, not in use: what {@link #registerSocket} and the config call it
     * @param mac            hardware address, low 48 bits: frames to others are left to the kernel
     * @return the mode it runs in
     */
    public synchronized Mode attach(int interfaceIndex, int port, long mac, ModeChoice choice) { return unbuilt(); }

    /** Takes the program off an interface. Its sockets are forgotten. Without effect when the port is not in use. */
    public synchronized void detach(int port) {
        unbuilt();
    }

    /** The hardware address of an attached interface has changed. */
    public synchronized void setMac(int port, long mac) { unbuilt(); }

    /** Frames of this queue go to this socket from now on. A socket that is closed leaves the map by itself. */
    public synchronized void registerSocket(int port, int queue, int fd) {
        unbuilt();
    }

    public synchronized void unregisterSocket(int port, int queue) { unbuilt(); }

    /**
     * The addresses of this host (and the broadcast addresses of its networks): packets to them go to the kernel. Only the differences to the last call
     * are written, new addresses first.
     */
    public synchronized void setLocalAddresses(Set<InetAddress> addresses) { unbuilt(); }

    /** Closed: packets for the workers are dropped and counted; local traffic is not touched. */
    public synchronized void setGate(boolean open) {
        unbuilt();
    }

    public synchronized boolean isGateOpen() { return unbuilt(); }

    /** Sum over all CPUs. */
    public synchronized long counter(XdpCounter counter) { return unbuilt(); }

    /** The mode of an attached interface. */
    public synchronized Mode mode(int port) { return unbuilt(); }

    /** Detaches from every interface and removes the program and its maps. */
    @Override
    public synchronized void close() { unbuilt(); }

    @SuppressWarnings("TypeParameterUnusedInFormals")
    private static <T> T unbuilt() { throw new UnsupportedOperationException(); }
}
