package io.ambo.node.sys;

/** What the kernel knows about an interface of the calling thread's network namespace, asked by system calls. */
public final class NetworkDevice {
    private NetworkDevice() {}

    /** @throws SysException when there is no such interface */
    public static int index(String name) { return unbuilt(); }

    /** The name, or "ifindex N" when there is no such interface (any more). */
    public static String nameOf(int index) { return unbuilt(); }

    /** Receive queues in use now (ethtool -l: rx and combined); 1 when the driver does not say. */
    public static int receiveQueues(String name) {
        return unbuilt();
    }

    /** Hardware address, the low 48 bits. */
    public static long mac(String name) { return unbuilt(); }

    @SuppressWarnings("TypeParameterUnusedInFormals")
    private static <T> T unbuilt() { throw new UnsupportedOperationException(); }
}
